"""``Authorization: Token …``: knox's hashed, expiring tokens, read with one query and no write."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ..models import User
from ..statements import columns, fetch, instance

SCHEME = "Token"
_HEADER = re.compile(r"token +([A-Za-z0-9_-]{16,200})", re.IGNORECASE | re.ASCII)
_READ = f"""
    SELECT {columns(AuthToken, "t")}, {columns(User, "u")} FROM knox_authtoken t JOIN cases_user u ON u.id = t.user_id
    WHERE t.digest = %s AND (t.expiry IS NULL OR t.expiry > statement_timestamp())
"""
_SPLIT = len(AuthToken._meta.concrete_fields)


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
        token = _read(hash_token(match[1]))
        if token is None or not token.user.is_active:
            raise AuthenticationFailed("This token is unknown or expired, or its account is closed: ask for a new one.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def _read(digest: str) -> AuthToken | None:
    """The token with this digest and its account, unless it has expired."""
    for row in fetch(_READ, [digest]):
        token = instance(AuthToken, row[:_SPLIT])
        token.user = instance(User, row[_SPLIT:])
        return token
    return None


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
