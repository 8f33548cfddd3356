"""``Authorization: Token …``: knox's hashed, expiring tokens, read with one query and no write."""

import re
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

SCHEME = "Token"
_HEADER = re.compile(r"token +([A-Za-z0-9_-]{16,200})", re.IGNORECASE | re.ASCII)


class TokenAuthentication(BaseAuthentication):
    """The account behind a token, and the token itself.

    Knox's own class looks at each token of the account and deletes the expired ones while it authenticates; this one
    finds the digest, which is the primary key, and leaves the cleaning to others. Expiry is by the database's clock.
    """

    def authenticate(self, request: Request) -> tuple[Any, AuthToken] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "").strip()
        if not header:
            return None
        match = _HEADER.fullmatch(header)
        if not match:
            raise AuthenticationFailed("The Authorization header is malformed: send Authorization: Token …")
        token = (
            AuthToken.objects.select_related("user")
            .filter(Q(expiry=None) | Q(expiry__gt=Now()), digest=hash_token(match[1]))
            .first()
        )
        if token is None or not token.user.is_active:
            raise AuthenticationFailed("This token is unknown or expired, or its account is closed: ask for a new one.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names it."""

    target_class = "cases.wire.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a space before the token of a service account or a person.",
        }
