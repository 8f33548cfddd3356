"""The texts that customers get: a closed list of placeholders, quiet hours and dialled numbers. Pure.

A tenant's text is never a program: ``{answer}`` is replaced by the answer, once, and nothing in what comes in is looked
at again. What stands in braces and is not on the list is refused when the text is saved.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import TextChoices

from .customer_messages import customer_message
from .untrusted import is_unseen


class Occasion(TextChoices):
    """On what a customer hears from us, besides what the caller says itself."""

    RECEIVED = "received", "Received: a person will look at it"
    DECIDED = "decided", "Decided"
    DELAYED = "delayed", "Delayed: the promised time cannot be kept"


class Way(TextChoices):
    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"


SUBJECT_LENGTH = 120
SMS_LENGTH = 480  # characters: three to seven parts, by their alphabet
TEXT_LENGTH = 10_000

IN_BRACES = re.compile(r"\{([^{}]*)\}")
EVERYWHERE = {
    "company": "The tenant's name",
    "reference": "The caller's own number for the case, or ours",
}
BY_OCCASION = {
    Occasion.RECEIVED: {
        "promise": "A sentence with the time until which they hear from us",
        "interim_answer": "What they were told meanwhile",
    },
    Occasion.DECIDED: {"answer": "The answer, as a person signed it"},
    Occasion.DELAYED: {"promise": "A sentence with the new time"},
}
OPT_OUT = {"opt_out": "The address of the page on which they say that they want no more of these"}
TOO_LONG_FOR_SMS = frozenset({"answer", "interim_answer", "opt_out"})


def placeholders(occasion: str, way: str) -> dict[str, str]:
    """What a text for ``occasion`` may hold, each with what it stands for."""
    names = EVERYWHERE | BY_OCCASION[Occasion(occasion)] | OPT_OUT
    return {name: words for name, words in names.items() if way == Way.EMAIL or name not in TOO_LONG_FOR_SMS}


def used(text: str) -> set[str]:
    """The placeholders of ``text``, known or not, as they are written."""
    return set(IN_BRACES.findall(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders replaced; what is unknown stays as it is written."""
    return IN_BRACES.sub(lambda found: values.get(found[1], found[0]), text)


def one_line(text: str) -> str:
    """For a subject: no line breaks, which would begin a new header, and nothing that cannot be seen."""
    return "".join(" " if c.isspace() else c for c in text if c.isspace() or not is_unseen(c))[:SUBJECT_LENGTH].strip()


def sample(occasion: str, *, company: str, locale: str, now: datetime, time_zone: str) -> dict[str, str]:
    """Made-up values for a preview, of the form that real ones have."""
    by = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=5)
    return {
        "company": company,
        "reference": "conv-8812",
        "promise": customer_message(locale, by, now=now, time_zone=time_zone),
        "interim_answer": "Thank you for writing. We have your receipt and look into it.",
        "answer": "You can send the shoes back until 30 May. The label is in your account.",
        "opt_out": "https://example.com/customers/opt-out/sample/",
    }


# --- when ------------------------------------------------------------------------------------------------------------


def zone_of(wish: str | None, otherwise: str) -> ZoneInfo:
    """The customer's time zone where the caller named one that exists, else ``otherwise``."""
    return ZoneInfo(wish if wish and wish in available_timezones() else otherwise)


def after_quiet_hours(at: datetime, begin: time | None, end: time | None, zone: ZoneInfo) -> datetime:
    """``at``, or the end of the quiet hours it falls into on the wall of ``zone``.

    They may cross midnight. A wall-clock end that is skipped when clocks go forward is read as the change itself.
    """
    if begin is None or end is None or begin == end:
        return at
    local = at.astimezone(zone)
    wall = local.time().replace(tzinfo=None)
    is_quiet = begin <= wall < end if begin < end else wall >= begin or wall < end
    if not is_quiet:
        return at
    day = local.date() if wall < end else local.date() + timedelta(days=1)
    ends = datetime.combine(day, end, tzinfo=zone)
    return max(at, datetime.fromtimestamp(ends.timestamp(), tz=at.tzinfo))


# --- to whom ---------------------------------------------------------------------------------------------------------

PHONE = re.compile(r"\+?[0-9]{6,15}")


def dialled(phone: str) -> str | None:
    """The number as it is dialled, or None: digits and one plus, so that nothing else gets into a service's URL."""
    number = re.sub(r"[\s().\-/]", "", phone)
    return number if PHONE.fullmatch(number) else None
