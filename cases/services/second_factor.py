"""Proving again who one is: the password, and a time-based code (RFC 6238) where the person has a device.

Every failure counts with django-axes as a failed sign-in does, and the device itself slows down guessing. When it was
last proven stands in the session.
"""

from base64 import b32encode
from datetime import datetime
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..clock import db_now
from ..errors import NotPermitted
from ..models import User

SIGNED_IN = "signed_in_at"
NAME = "Second factor"
LOCKED = "Too many wrong tries: this is closed for a quarter of an hour. Nothing was changed."
WRONG = "That is not right. Nothing was changed."
WRONG_CODE = "That is not the code of this moment, or it was used before. Wait for the next one."


class NotConfirmed(NotPermitted):
    code = "not_confirmed"
    title = "It is not certain that this is you"


def on_sign_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    """The receiver of ``user_logged_in``: a password alone does not count for who has a second factor."""
    if request is not None and hasattr(request, "session") and device_of(user) is None:
        request.session[SIGNED_IN] = db_now().isoformat()


def remember(request: HttpRequest) -> None:
    """That ``confirm`` has just succeeded in this session, under a new key."""
    request.session.cycle_key()
    request.session[SIGNED_IN] = db_now().isoformat()


def signed_in_at(request: HttpRequest) -> datetime | None:
    """When this session's person last proved who they are, by all that is asked of them."""
    text = request.session.get(SIGNED_IN)
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def device_of(user: User) -> TOTPDevice | None:
    """The device in use, or None."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def asked_device_of(user: User) -> TOTPDevice | None:
    """The device that was begun and not proven yet, or None."""
    return TOTPDevice.objects.filter(user=user, confirmed=False).first()


def secret_text(device: TOTPDevice) -> str:
    """The secret as authenticator apps take it: base 32 in groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def confirm(request: HttpRequest, user: User, *, password: str, code: str = "") -> None:
    """Raise ``NotConfirmed`` unless both are right; ``code`` counts for nothing where there is no device."""
    _check_password(request, user, password)
    device = device_of(user)
    if device is not None:
        _check_code(request, user, device, code)


def begin(request: HttpRequest, user: User, *, password: str) -> TOTPDevice:
    """A new device with a new secret, not in use before ``prove``. Who has one takes that away first."""
    _check_password(request, user, password)
    if device_of(user):
        raise NotConfirmed("You have a second factor. Take it away before you add another. Nothing was changed.")
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, name=NAME, confirmed=False)


def prove(request: HttpRequest, user: User, *, code: str) -> None:
    """Put the device that was begun to use, by a first code of it."""
    device = asked_device_of(user)
    if device is None:
        raise NotConfirmed("There is no second factor to prove: add one first.")
    _check_code(request, user, device, code)
    device.confirmed = True
    device.save(update_fields=["confirmed"])


def remove(request: HttpRequest, user: User, *, password: str, code: str) -> None:
    """Take the device away, by password and a code of it."""
    confirm(request, user, password=password, code=code)
    TOTPDevice.objects.filter(user=user).delete()


def _check_password(request: HttpRequest, user: User, password: str) -> None:
    if _is_locked(request, user):
        raise NotConfirmed(LOCKED)
    found = authenticate(request, username=user.get_username(), password=password)
    if found is None or found.pk != user.pk:
        raise NotConfirmed(LOCKED if _is_locked(request, user) else WRONG)


def _check_code(request: HttpRequest, user: User, device: TOTPDevice, code: str) -> None:
    digits = "".join(code.split())
    with transaction.atomic():  # Two requests with one code: the second meets the first one's mark.
        device = TOTPDevice.objects.select_for_update().get(pk=device.pk)
        is_right = (
            len(digits) == device.digits and digits.isascii() and digits.isdigit() and device.verify_token(digits)
        )
    if not is_right:
        credentials = {"username": user.get_username()}
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        raise NotConfirmed(LOCKED if _is_locked(request, user) else WRONG_CODE)


def _is_locked(request: HttpRequest, user: User) -> bool:
    return not AxesProxyHandler.is_allowed(request, {"username": user.get_username()})
