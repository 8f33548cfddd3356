"""What a customer is told while a person looks at their case, in their language, with a time that will hold. Pure.

A new language is one entry of ``CATALOGUE`` and its names in ``_DATES``; a test holds every entry complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

ROUNDED_TO = timedelta(minutes=5)  # Up: nobody promises 16:27, and a promise is never earlier than the deadline.
FALLBACK = "en"
TWELVE_HOURS = frozenset({"en-us", "en-ca", "en-au", "en-nz", "en-in", "en-ph"})


@dataclass(frozen=True)
class Words:
    """One language: the sentence around the time, the time around the day, and the sentence where no time holds."""

    sentence: str
    today: str
    tomorrow: str
    later: str
    soon: str


CATALOGUE = {
    "en": Words(
        "A specialist will review this and write to you by {when}.",
        "{time} today ({zone})",
        "{time} tomorrow ({zone})",
        "{time} on {day} ({zone})",
        "A specialist will review this and write to you as soon as possible.",
    ),
    "de": Words(
        "Eine Fachkraft prüft Ihr Anliegen und schreibt Ihnen bis {when}.",
        "heute um {time} Uhr ({zone})",
        "morgen um {time} Uhr ({zone})",
        "{day} um {time} Uhr ({zone})",
        "Eine Fachkraft prüft Ihr Anliegen und schreibt Ihnen so bald wie möglich.",
    ),
    "es": Words(
        "Un especialista revisará su consulta y le escribirá antes de {when}.",
        "las {time} de hoy ({zone})",
        "las {time} de mañana ({zone})",
        "las {time} del {day} ({zone})",
        "Un especialista revisará su consulta y le escribirá lo antes posible.",
    ),
    "fr": Words(
        "Un spécialiste va examiner votre demande et vous écrira avant {when}.",
        "{time} aujourd’hui ({zone})",
        "{time} demain ({zone})",
        "{time} le {day} ({zone})",
        "Un spécialiste va examiner votre demande et vous écrira dès que possible.",
    ),
    "it": Words(
        "Uno specialista esaminerà la sua richiesta e le scriverà entro le {when}.",
        "{time} di oggi ({zone})",
        "{time} di domani ({zone})",
        "{time} di {day} ({zone})",
        "Uno specialista esaminerà la sua richiesta e le scriverà il prima possibile.",
    ),
    "nl": Words(
        "Een specialist bekijkt uw vraag en schrijft u uiterlijk {when}.",
        "vandaag om {time} uur ({zone})",
        "morgen om {time} uur ({zone})",
        "{day} om {time} uur ({zone})",
        "Een specialist bekijkt uw vraag en schrijft u zo snel mogelijk.",
    ),
    "pt": Words(
        "Um especialista vai analisar o seu pedido e escrever-lhe até às {when}.",
        "{time} de hoje ({zone})",
        "{time} de amanhã ({zone})",
        "{time} de {day} ({zone})",
        "Um especialista vai analisar o seu pedido e escrever-lhe assim que possível.",
    ),
}

# Per language the days from Monday, the months from January, and how the two stand together.
_DATES: dict[str, tuple[str, str, str]] = {
    "en": (
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "January February March April May June July August September October November December",
        "{weekday} {number} {month} {year}",
    ),
    "de": (
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "{weekday}, {number}. {month} {year}",
    ),
    "es": (
        "lunes martes miércoles jueves viernes sábado domingo",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "{weekday} {number} de {month} de {year}",
    ),
    "fr": (
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "{weekday} {number} {month} {year}",
    ),
    "it": (
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "{weekday} {number} {month} {year}",
    ),
    "nl": (
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "{weekday} {number} {month} {year}",
    ),
    "pt": (
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "{weekday}, {number} de {month} de {year}",
    ),
}


def locale_for(*wishes: str | None) -> str:
    """The first of ``wishes`` (BCP 47 tags, best first) whose language the catalogue has, as it was written."""
    for wish in wishes:
        tag = (wish or "").strip().replace("_", "-")
        if _language(tag) in CATALOGUE:
            return tag
    return FALLBACK


def promised_by(deadline: datetime) -> datetime:
    """The instant that is promised for ``deadline``: rounded up, never down."""
    past = timedelta(minutes=deadline.minute % 5, seconds=deadline.second, microseconds=deadline.microsecond)
    return deadline if not past else deadline - past + ROUNDED_TO


def customer_message(locale: str, by: datetime, *, now: datetime, time_zone: str) -> str:
    """The sentence for a customer: an answer ``by`` an instant, in the words of ``locale`` and the clock of
    ``time_zone`` (IANA). Today and tomorrow are those of that clock. A time that has passed is not named.
    """
    language = _language(locale) if _language(locale) in CATALOGUE else FALLBACK
    words = CATALOGUE[language]
    if by <= now:
        return words.soon
    zone = ZoneInfo(time_zone)
    here, there = now.astimezone(zone), by.astimezone(zone)
    days = (there.date() - here.date()).days
    form = words.today if days == 0 else words.tomorrow if days == 1 else words.later
    when = form.format(time=_clock(there, locale), day=_day(language, there.date()), zone=zone_words(there))
    return words.sentence.format(when=when)


def zone_words(at: datetime) -> str:
    """``CEST``, or ``UTC-03:00`` where the zone has no letters of its own."""
    name = at.strftime("%Z")
    if name.isalpha():
        return name
    offset = at.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"


def best_match(found: Sequence[tuple[str, str, str]], *, domain: str, locales: Sequence[str | None]) -> str | None:
    """The text of the best of ``found`` (domain, locale, text; empty: any). A language that the customer reads goes
    before the domain, an exact locale before its language, and of two wishes the first."""
    wanted = [tag.strip().replace("_", "-").lower() for tag in locales if tag and tag != "und"]

    def rank(template: tuple[str, str, str]) -> tuple[int, int, int]:
        its_domain, its_locale, _ = template
        its_locale = its_locale.lower()
        for place, wish in enumerate(wanted):
            if its_locale == wish:
                return (place, 0, its_domain == "")
            if its_locale and its_locale == _language(wish):
                return (place, 1, its_domain == "")
        return (len(wanted), 0, its_domain == "")

    readable = {"", *wanted, *map(_language, wanted)}
    fitting = [one for one in found if one[0] in ("", domain) and one[1].lower() in readable]
    return min(fitting, key=rank)[2] if fitting else None


def _language(tag: str) -> str:
    return tag.split("-", 1)[0].lower()


def _clock(at: datetime, locale: str) -> str:
    if locale.lower() in TWELVE_HOURS:
        return f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"
    return f"{at:%H:%M}"


def _day(language: str, day: date) -> str:
    weekdays, months, form = _DATES[language]
    return form.format(
        weekday=weekdays.split()[day.weekday()], number=day.day, month=months.split()[day.month - 1], year=day.year
    )
