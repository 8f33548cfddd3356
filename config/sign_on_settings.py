"""Single sign-on by OpenID Connect, from the environment: see docs/single-sign-on.md."""

import sys
from collections.abc import Mapping
from typing import Any

# Variable → the setting of mozilla-django-oidc that it becomes.
ENDPOINTS = {
    "OIDC_AUTHORIZATION_ENDPOINT": "OIDC_OP_AUTHORIZATION_ENDPOINT",
    "OIDC_TOKEN_ENDPOINT": "OIDC_OP_TOKEN_ENDPOINT",
    "OIDC_JWKS_ENDPOINT": "OIDC_OP_JWKS_ENDPOINT",
    "OIDC_USERINFO_ENDPOINT": "OIDC_OP_USER_ENDPOINT",
}
CLIENT = {"OIDC_CLIENT_ID": "OIDC_RP_CLIENT_ID", "OIDC_CLIENT_SECRET": "OIDC_RP_CLIENT_SECRET"}
ON = {"1", "true", "yes", "on"}


def read(environ: Mapping[str, str], *, insecure_http: bool) -> dict[str, Any]:
    """The settings of single sign-on; empty where ``OIDC_ISSUER`` is not set. A wrong value ends the start."""
    if not environ.get("OIDC_ISSUER"):
        return {}
    found = {setting: environ.get(name, "") for name, setting in (ENDPOINTS | CLIENT).items()}
    for name, setting in (ENDPOINTS | CLIENT).items():
        if not found[setting]:
            sys.exit(f"{name} is not set: with OIDC_ISSUER it has to be. See docs/single-sign-on.md.")
        if name in ENDPOINTS and not (found[setting].startswith("https://") or insecure_http):
            sys.exit(f"{name} is not an HTTPS address: the identity provider is asked over HTTPS only.")
    return found | {
        "SINGLE_SIGN_ON": True,
        "OIDC_ISSUER": environ["OIDC_ISSUER"],
        "OIDC_LINK_BY_EMAIL": environ.get("OIDC_LINK_BY_EMAIL", "").lower() in ON,
        # Values of the claim ``amr`` (RFC 8176) by which the provider vouches for a second factor.
        "OIDC_SECOND_FACTOR": frozenset(environ.get("OIDC_SECOND_FACTOR", "").replace(",", " ").split()),
        "OIDC_RP_SIGN_ALGO": environ.get("OIDC_SIGN_ALGO") or "RS256",
        "OIDC_RP_SCOPES": "openid email",
        "OIDC_USE_PKCE": True,
        "OIDC_CREATE_USER": False,
        "OIDC_TIMEOUT": 10,
    }
