"""What every API view needs: who asks, in which tenant, which case; and where a refusal is kept."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from ..errors import NotFound
from ..ids import from_wire
from ..models import Case, Tenant, User
from ..permissions import Denied, places_of, visible_to
from ..services.audit import keep_denial
from ..wire import problems
from ..wire.intake import TRACEPARENT, Intake
from ..wire.parser import WireError

_TRACEPARENT = re.compile(rf"(?!00-0{{32}}|00-.{{32}}-0{{16}})(?:{TRACEPARENT})", re.ASCII)


class TenantAmbiguous(WireError):
    def __init__(self) -> None:
        super().__init__(
            "tenant_missing", "You belong to several tenants: say which by tenant_id.", pointer="/tenant_id"
        )


def handle(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: keeps a denied attempt, now that its transaction is gone, and answers with a problem."""
    if isinstance(exc, Denied):
        keep_denial(exc)
    return problems.handle(exc, context)


def tenant_for(user: User, slug: str | None, right: str = "view_tenant") -> Tenant:
    """The tenant that ``slug`` names, or the caller's only one. Another's is as unknown as none at all."""
    found = places_of(user, right, slug or "")
    if len(found) > 1:
        raise TenantAmbiguous
    if not found:
        raise NotFound
    return found[0]


def traced(intake: Intake, request: Request) -> Intake:
    """``intake`` with the request's ``traceparent``, where its body brings none of its own.

    A header that is malformed or all zeros is left aside, as W3C Trace Context asks: proxies write it, not callers.
    """
    header = request.META.get("HTTP_TRACEPARENT", "")
    if intake.get("traceparent") or not _TRACEPARENT.fullmatch(header):
        return intake
    return replace(intake, values={**intake.values, "traceparent": header})


def case_or_404(request: Request, wire_id: str) -> Case:
    """The visible case with this wire id; anything else is the same 404."""
    case = visible_to(request.user, Case.objects.with_text()).filter(pk=case_key(wire_id)).first()
    if case is None:
        raise NotFound
    return case


def case_key(wire_id: str) -> UUID:
    key = from_wire(Case.PREFIX, wire_id)
    if key is None:
        raise NotFound
    return key
