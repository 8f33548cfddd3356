"""Signatures by the Standard Webhooks rules (https://www.standardwebhooks.com), for all that is posted to others."""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError


def new_secret() -> str:
    """A signing secret: ``whsec_`` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signature_headers(message_id: str, at: datetime, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """The three headers; every one of ``keys`` that is not empty signs. Raises ``ValueError`` for one that is none.

    ``message_id`` is part of what is signed, the address is not.
    """
    at = at.astimezone(UTC)  # standardwebhooks reads any other zone's wall clock as if it were UTC.
    text = body.decode()
    try:
        signatures = [Webhook(key).sign(message_id, at, text) for key in keys if key]
    except EmptyWebhookSecretError as error:  # The others are ValueErrors.
        raise ValueError("empty secret") from error
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
