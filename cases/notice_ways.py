"""The ways on which a notice leaves the house: e-mail by Django's mail settings, and services by apprise.

An apprise URL can name any host, inner ones too. So only the schemes of ``settings.NOTICE_SCHEMES`` are taken: those of
services whose address apprise itself knows.
"""

from collections.abc import Mapping
from smtplib import SMTPRecipientsRefused

import apprise
import structlog
from django.conf import settings
from django.core.mail import EmailMessage

log = structlog.get_logger(__name__)

TITLE_LENGTH = 120


class UrlRefused(ValueError):
    """Not a URL of a service that this installation sends to."""


class NotSent(Exception):
    """The message did not leave; says why, without a word of the receiver's or of the address.

    ``is_bounce``: the address itself was refused for good, so that trying again is no use.
    """

    def __init__(self, why: str, *, is_bounce: bool = False) -> None:
        super().__init__(why)
        self.is_bounce = is_bounce


def checked(url: str) -> apprise.NotifyBase:
    """The service behind an apprise URL. Raises ``UrlRefused`` with a sentence for people."""
    scheme = url.strip().partition("://")[0].lower()
    if scheme not in settings.NOTICE_SCHEMES:
        known = ", ".join(sorted(settings.NOTICE_SCHEMES))
        raise UrlRefused(f"This installation sends to these services only: {known}. Begin with one of them and ://.")
    service = apprise.Apprise.instantiate(url.strip(), suppress_exceptions=True)
    if not isinstance(service, apprise.NotifyBase):
        raise UrlRefused(f"{scheme}:// needs more than that. Its form is described in apprise's documentation.")
    return service


def send_email(address: str, title: str, body: str, headers: Mapping[str, str] | None = None) -> None:
    """Send through Django's mail settings; raises ``NotSent``. Network: never inside a transaction."""
    try:
        taken = EmailMessage(subject=title[:TITLE_LENGTH], body=body, to=[address], headers=headers).send()
    except SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        log.warning("email_refused", codes=sorted(codes))
        is_bounce = all(500 <= code < 600 for code in codes)
        raise NotSent(f"The mail server refused the address ({min(codes)}).", is_bounce=is_bounce) from error
    except Exception as error:
        log.warning("email_not_sent", error=type(error).__name__)
        raise NotSent(f"The mail server did not take it ({type(error).__name__}).") from error
    if not taken:
        raise NotSent("The mail server did not take it.")


def send_to_service(url: str, title: str, body: str) -> None:
    """Send by apprise; raises ``NotSent``. Network: never inside a transaction. apprise's own time-outs are seconds."""
    try:
        taken = checked(url).notify(body=body, title=title[:TITLE_LENGTH])
    except UrlRefused as error:
        raise NotSent(str(error)) from error
    except Exception as error:
        log.warning("service_not_reached", error=type(error).__name__)
        raise NotSent(f"The service was not reached ({type(error).__name__}).") from error
    if not taken:
        raise NotSent("The service did not take it: it was not reached, or the URL is no longer valid.")
