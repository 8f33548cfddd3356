"""Proving who one is: the password, and a time-based code (RFC 6238) where the person has a device.

Whoever has a device signs in with both (``hold``, then ``take_step``) and is asked again for what has a high impact
(``confirm``). Every failure counts with django-axes as a failed sign-in does, and the device itself slows down
guessing. When it was last proven stands in the session. A backup code stands in for the device once.

People without a local password prove themselves at the identity provider instead; see ``config.sign_on``.
"""

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..clock import db_now
from ..errors import NotPermitted
from ..models import AccessEvent, BackupCode, User
from .access import note

SIGNED_IN = "signed_in_at"
AT_PROVIDER = "proven_at_provider_at"  # in a session: when the identity provider last asked the person who they are
USED = "second_factor_used"  # in a session: whoever holds it proved the second factor, here or at the provider
HELD = "second_step"
HELD_FOR = timedelta(minutes=5)  # between the password and the code
NAME = "Second factor"
CODES = 10
CODE_LENGTH = 10  # characters of base 32: 50 bits
WRONG = "That is not right. Nothing was changed."
WRONG_CODE = "That is not the code of this moment, or it was used before. Wait for the next one."
GO_TO_PROVIDER = "Prove who you are at your identity provider first, and come back. Nothing was changed."


class NotConfirmed(NotPermitted):
    code = "not_confirmed"
    title = "It is not certain that this is you"


def locked_words() -> str:
    """What everybody is told who is locked out, whether their name exists or not."""
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    return f"Too many wrong tries: this is closed for {minutes} minutes. Nothing was changed."


# --- the session ------------------------------------------------------------------------------------------------------


def on_sign_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    """The receiver of ``user_logged_in``: a password alone does not count for who has a second factor."""
    if request is not None and hasattr(request, "session") and device_of(user) is None:
        request.session[SIGNED_IN] = db_now().isoformat()


def remember(request: HttpRequest) -> None:
    """That ``confirm`` has just succeeded in this session, under a new key."""
    request.session.cycle_key()
    request.session[SIGNED_IN] = db_now().isoformat()
    if device_of(request.user):
        request.session[USED] = True


def signed_in_at(request: HttpRequest) -> datetime | None:
    """When this session's person last proved who they are, by all that is asked of them."""
    return _instant(request, SIGNED_IN)


def remember_provider(request: HttpRequest, at: datetime, *, is_two_factor: bool) -> None:
    """After a sign-in there: the provider asked at ``at``, and counts for both factors where it vouches for them."""
    request.session[AT_PROVIDER] = at.isoformat()
    if is_two_factor:
        request.session[USED] = True
    if is_two_factor or device_of(request.user) is None:
        request.session[SIGNED_IN] = at.isoformat()


def _instant(request: HttpRequest, key: str) -> datetime | None:
    text = request.session.get(key)
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def has_password(user: User) -> bool:
    """Whether the person proves themselves by a local password here, or else at the identity provider."""
    return settings.LOCAL_PASSWORDS and user.has_usable_password()


# --- signing in with two steps ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """Somebody whose password was right and whose code is asked for."""

    user: User
    backend: str
    next_url: str
    way: str


def hold(request: HttpRequest, user: User, *, next_url: str, way: str) -> None:
    """Remember in the session, for ``HELD_FOR``, that ``user`` did the first step by ``way``. Nobody is signed in."""
    request.session.flush()
    request.session[HELD] = {
        "user": str(user.pk),
        "backend": user.backend,
        "seal": user.get_session_auth_hash(),
        "at": db_now().isoformat(),
        "next": next_url,
        "way": way,
    }


def held(request: HttpRequest) -> Held | None:
    """Who did the first step in this session; None where nobody did, it is too long ago, or their password changed."""
    kept = request.session.get(HELD)
    if not isinstance(kept, dict) or db_now() - datetime.fromisoformat(kept["at"]) > HELD_FOR:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(kept["seal"], user.get_session_auth_hash()):
        return None
    return Held(user, kept["backend"], kept["next"], kept["way"])


def take_step(request: HttpRequest, waiting: Held, *, code: str) -> str:
    """The second step, by a code of the device or a backup code; returns by which way. Raises ``NotConfirmed``.

    The caller signs the person in and calls ``remember_step``.
    """
    device = device_of(waiting.user)
    if _is_locked(request, waiting.user):
        raise NotConfirmed(locked_words())
    if device is not None and (as_backup := _spelled(code)) and len(as_backup) == CODE_LENGTH:
        _use_backup_code(request, waiting.user, as_backup)
        return f"{waiting.way}, backup code"
    if device is not None:
        _check_code(request, waiting.user, device, code)
    return f"{waiting.way}, code"


def remember_step(request: HttpRequest) -> None:
    """After the sign-in: both were proven now."""
    request.session[SIGNED_IN] = db_now().isoformat()
    request.session[USED] = True


# --- devices ----------------------------------------------------------------------------------------------------------


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


def confirm(request: HttpRequest, user: User, *, password: str = "", code: str = "") -> None:
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


def prove(request: HttpRequest, user: User, *, code: str) -> list[str]:
    """Put the device that was begun to use, by a first code of it; returns the backup codes, shown once."""
    device = asked_device_of(user)
    if device is None:
        raise NotConfirmed("There is no second factor to prove: add one first.")
    _check_code(request, user, device, code)
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        note(user, AccessEvent.Kind.FACTOR_ADDED, request=request)
        codes = _make_codes(user, request)
    request.session[USED] = True
    return codes


def remove(request: HttpRequest, user: User, *, password: str, code: str) -> None:
    """Take the device away, by password and a code of it; its backup codes go along."""
    confirm(request, user, password=password, code=code)
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        BackupCode.objects.filter(user=user).delete()
        note(user, AccessEvent.Kind.FACTOR_REMOVED, request=request)
    request.session.pop(USED, None)


# --- backup codes -----------------------------------------------------------------------------------------------------


def new_codes(request: HttpRequest, user: User, *, password: str, code: str) -> list[str]:
    """New backup codes in place of all earlier ones, by password and a code of the device; shown once."""
    if device_of(user) is None:
        raise NotConfirmed("Backup codes stand in for a second factor: add one first. Nothing was changed.")
    confirm(request, user, password=password, code=code)
    with transaction.atomic():
        return _make_codes(user, request)


def codes_left(user: User) -> int:
    return BackupCode.objects.filter(user=user, used_at=None).count()


def _make_codes(user: User, request: HttpRequest) -> list[str]:
    BackupCode.objects.filter(user=user).delete()
    codes = [b32encode(secrets.token_bytes(7)).decode().lower()[:CODE_LENGTH] for _ in range(CODES)]
    now = db_now()
    BackupCode.objects.bulk_create(BackupCode(user=user, digest=_digest(user, code), made_at=now) for code in codes)
    note(user, AccessEvent.Kind.CODES_MADE, request=request)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _digest(user: User, code: str) -> str:
    """Keyed, so that a dump of the table is no list to guess against."""
    return salted_hmac("cases.backup_code", f"{user.pk}:{code}", algorithm="sha256").hexdigest()


def _spelled(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _use_backup_code(request: HttpRequest, user: User, code: str) -> None:
    with transaction.atomic():  # One statement finds it unused and uses it: of two requests one gets it.
        unused = BackupCode.objects.filter(user=user, digest=_digest(user, code), used_at=None)
        is_right = bool(unused.update(used_at=db_now()))
        if is_right:
            note(user, AccessEvent.Kind.CODE_USED, request=request, reason=f"{codes_left(user)} left")
    if not is_right:
        _count_failure(request, user)
        raise NotConfirmed(
            locked_words() if _is_locked(request, user) else "That is no backup code that you have left."
        )


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_password(request: HttpRequest, user: User, password: str) -> None:
    if _is_locked(request, user):
        raise NotConfirmed(locked_words())
    if not has_password(user):
        proven = _instant(request, AT_PROVIDER)
        if proven is None or db_now() - proven > timedelta(minutes=settings.STEP_UP_MINUTES):
            raise NotConfirmed(GO_TO_PROVIDER)
        return
    found = authenticate(request, username=user.get_username(), password=password)
    if found is None or found.pk != user.pk:
        raise NotConfirmed(locked_words() if _is_locked(request, user) else WRONG)


def _check_code(request: HttpRequest, user: User, device: TOTPDevice, code: str) -> None:
    digits = "".join(code.split())
    with transaction.atomic():  # Two requests with one code: the second meets the first one's mark.
        device = TOTPDevice.objects.select_for_update().get(pk=device.pk)
        is_right = (
            len(digits) == device.digits and digits.isascii() and digits.isdigit() and device.verify_token(digits)
        )
    if not is_right:
        _count_failure(request, user)
        raise NotConfirmed(locked_words() if _is_locked(request, user) else WRONG_CODE)


def _count_failure(request: HttpRequest, user: User) -> None:
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)


def _is_locked(request: HttpRequest, user: User) -> bool:
    return not AxesProxyHandler.is_allowed(request, {"username": user.get_username()})
