"""Customers who want no notices: known by keyed digests alone, changed by a link that only their own messages hold."""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from ..clock import db_now
from ..digests import customer_key
from ..models import Case, CustomerOptOut, Tenant

KEY_BYTES = 32
TENANT_BYTES = 16
WAYS = ("email", "phone")


@dataclass(frozen=True)
class Wish:
    """Whose link it is: a tenant and the digests of one of its customers."""

    tenant_id: UUID
    keys: tuple[bytes, ...]


def keys_of(case: Case) -> tuple[bytes, ...]:
    """The digests by which the case's customer is known again: of the caller's reference and of each address."""
    customer = case.content.text.get("customer") or {}
    keys = [_key(case.tenant_id, _address(way, customer[way])) for way in WAYS if customer.get(way)]
    if case.content.customer_key:
        keys.insert(0, bytes(case.content.customer_key))
    return tuple(keys)


def keys_for(tenant_id: UUID, name: str) -> tuple[bytes, ...]:
    """The digests that a customer called ``name`` would have, whether that is an address or the caller's reference."""
    return (_key(tenant_id, name), *(_key(tenant_id, _address(way, name)) for way in WAYS))


def has_opted_out(tenant_id: UUID, keys: Collection[bytes]) -> bool:
    return CustomerOptOut.objects.filter(tenant=tenant_id, customer_key__in=keys).exists()


def link_for(case: Case) -> str:
    """The address of the page on which the case's customer opts out, signed. It holds digests and no personal data."""
    raw = case.tenant_id.bytes + b"".join(keys_of(case))
    token = _signer().sign(base64.urlsafe_b64encode(raw).decode().rstrip("="))
    return f"{settings.PUBLIC_URL}{reverse('customer_opt_out', args=[token])}"


def read(token: str) -> Wish | None:
    """Whose link a token is; None where it is none of ours."""
    try:
        text = _signer().unsign(token)
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (BadSignature, ValueError):
        return None
    keys = raw[TENANT_BYTES:]
    return Wish(UUID(bytes=raw[:TENANT_BYTES]), tuple(keys[i : i + KEY_BYTES] for i in range(0, len(keys), KEY_BYTES)))


def store(token: str, *, wants_notices: bool) -> None:
    """Keep or forget the opt-out of whoever holds ``token``; a token that is none of ours changes nothing and is told
    the same."""
    wish = read(token)
    if wish is None or not Tenant.objects.filter(pk=wish.tenant_id).exists():
        return
    if wants_notices:
        CustomerOptOut.objects.filter(tenant=wish.tenant_id, customer_key__in=wish.keys).delete()
        return
    now = db_now()
    CustomerOptOut.objects.bulk_create(
        [CustomerOptOut(tenant_id=wish.tenant_id, customer_key=key, at=now) for key in wish.keys],
        ignore_conflicts=True,
    )


def _address(way: str, address: str) -> str:
    return f"{way}\x00{address.strip().lower()}"


def _key(tenant_id: UUID, name: str) -> bytes:
    return customer_key(settings.CUSTOMER_KEY_SECRET, tenant_id, name)


def _signer() -> Signer:
    """Not SECRET_KEY: a link in a letter must outlive a change of that."""
    return Signer(key=settings.CUSTOMER_KEY_SECRET, salt="customer-opt-out")
