"""Signing in at an identity provider (OpenID Connect, authorization code flow with PKCE and nonce).

One person, one identity: an account is found by the provider's subject alone, which is unique here. Nobody gets an
account by signing in. On top of mozilla-django-oidc, which checks the signature, state and nonce, this checks issuer,
audience and expiry, and turns every fault of the provider into a sentence on the sign-in page.

Imported only where single sign-on is set up: the library is the optional extra ``oidc``.
"""

from datetime import UTC, datetime
from typing import Any

import jwt
import requests
import structlog
from django.conf import settings
from django.contrib import auth, messages
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from cases.clock import db_now
from cases.models import AccessEvent, User
from cases.models.people import system_actor
from cases.services import second_factor
from cases.services.access import PROVIDER, note

log = structlog.get_logger(__name__)

FAULTS = (SuspiciousOperation, requests.RequestException, jwt.PyJWTError, KeyError, ValueError)
REFUSED = (
    "You were not signed in. Either the identity provider did not confirm who you are, or no account here belongs to "
    "the identity that it named: then ask a tenant admin to link yours."
)


class IdentityBackend(OIDCAuthenticationBackend):
    """The account that belongs to the token's subject."""

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        claims = super().verify_token(token, **kwargs)
        audience = claims.get("aud")
        if claims.get("iss") != settings.OIDC_ISSUER:
            raise SuspiciousOperation("The token is another issuer's.")
        if settings.OIDC_RP_CLIENT_ID not in (audience if isinstance(audience, list) else [audience]):
            raise SuspiciousOperation("The token is for somebody else.")
        if "exp" not in claims or not claims.get("sub"):
            raise SuspiciousOperation("The token has no end or no subject.")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User | None:
        """The active person with this subject; where e-mail addresses may link, the one whose address it is."""
        self.request.provider_claims = payload
        people = User.objects.filter(kind=User.AccountKind.PERSON, is_active=True)
        found = people.filter(oidc_subject=payload["sub"]).first()
        if found is None and settings.OIDC_LINK_BY_EMAIL:
            found = self._link(self.get_userinfo(access_token, id_token, payload), payload["sub"])
        return found

    @transaction.atomic
    def _link(self, told: dict[str, Any], subject: str) -> User | None:
        """The first time: by an address that the provider has verified and that one account alone has."""
        if told.get("sub") != subject or told.get("email_verified") is not True or not told.get("email"):
            return None
        rows = User.objects.select_for_update().filter(email__iexact=told["email"], kind=User.AccountKind.PERSON)
        same = list(rows[:2])
        if len(same) != 1 or same[0].oidc_subject or not same[0].is_active:
            return None
        (user,) = same
        user.oidc_subject = subject
        user.save(update_fields=["oidc_subject"])
        note(
            user,
            AccessEvent.Kind.IDENTITY_LINKED,
            actor=system_actor(),
            request=self.request,
            reason="by the e-mail address that the provider verified",
        )
        return user


class Start(OIDCAuthenticationRequestView):
    """Sends the browser to the provider; with ``again`` the provider asks anew, however long it has known them."""

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"prompt": "login", "max_age": "0"} if "again" in request.GET else {}


class Callback(OIDCAuthenticationCallbackView):
    """Where the provider sends the browser back to."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if "error" in request.GET:  # The library would sign out whoever is signed in, at anybody's link.
            return self.login_failure()
        try:
            return super().get(request)
        except FAULTS as fault:
            log.warning("single_sign_on_failed", fault=type(fault).__name__, why=str(fault)[:200])
            return self.login_failure()

    def login_failure(self) -> HttpResponse:
        messages.error(self.request, REFUSED)
        return redirect("admin:login")

    def login_success(self) -> HttpResponse:
        request, user, claims = self.request, self.user, self.request.provider_claims
        # Without the claim it is not known when the provider last asked: long ago, then.
        asked_at = min(datetime.fromtimestamp(int(claims.get("auth_time") or 0), UTC), db_now())
        is_two_factor = not settings.OIDC_SECOND_FACTOR.isdisjoint(claims.get("amr") or ())
        next_url = self.success_url
        if request.user.is_authenticated and request.user.pk == user.pk:  # Asked again, before something grave.
            request.session.cycle_key()
        elif second_factor.device_of(user) is not None and not is_two_factor:
            second_factor.hold(request, user, next_url=next_url, way=PROVIDER)
            return redirect("admin:second_step")
        else:
            request.sign_in_way = f"{PROVIDER}, two factors" if is_two_factor else PROVIDER
            auth.login(request, user)
        second_factor.remember_provider(request, asked_at, is_two_factor=is_two_factor)
        return redirect(next_url)
