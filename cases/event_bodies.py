"""The JSON body of each event that is sent, by the Standard Webhooks rules: ``{type, id, timestamp, data}``.

| ``data`` holds | in |
|---|---|
| ``tenant_id``: slug, or null where the event concerns all tenants | every event |
| ``case_id, external_id, state, trace_id, resume_token`` | ``case.*`` |
| ``outcome``: as in ``GET cases/{id}/`` | ``case.decided``, ``case.auto_approved`` |
| ``action_id, action, state, impact`` and, null for one without a case, ``case_id, case_state, …`` | ``action.*`` |
| ``export_id`` | ``export.*`` |
| the event's own codes and numbers: route, triggers, verdict, reason code, scope … | where recorded |

The case's state and ``outcome`` are those of the moment of sending, so that nobody acts on what no longer stands; an
action's state is the one that the event brought. The only free text is the outcome's ``final_answer``; after an erasure
it is null.
"""

from datetime import UTC, datetime
from typing import Any

from .clock import db_now
from .details import details_of
from .models import Case, CaseEvent
from .models.people import system_actor
from .outcome import outcome_document, public_state

OUTCOME_KINDS = frozenset({CaseEvent.Kind.DECIDED, CaseEvent.Kind.AUTO_APPROVED})
SUBJECT_NAMES = {"action": "action_id", "export": "export_id"}  # by the kind's first word


def event_body(event: CaseEvent, *, now: datetime | None = None) -> dict[str, Any]:
    """What the receivers of ``event`` are sent at ``now``, ready for JSON. Only an outcome costs queries."""
    now = now or db_now()
    data = {**event.data, "tenant_id": event.tenant.slug if event.tenant else None}
    if event.kind.startswith("action."):
        data |= _case_of_action(event.case, now)
    elif event.case:
        data |= _case_part(event.case, now)
        if event.kind in OUTCOME_KINDS:
            data["outcome"] = _outcome(event.case, now)
    name = SUBJECT_NAMES.get(event.kind.partition(".")[0])
    if name and event.subject:
        data[name] = event.subject
    return {"type": str(event.kind), "id": event.wire_id, "timestamp": rfc3339(event.at), "data": data}


def rfc3339(at: datetime) -> str:
    """``2027-05-09T18:00:00.123456Z``"""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _case_part(case: Case, now: datetime) -> dict[str, Any]:
    return {
        "case_id": case.wire_id,
        "external_id": case.external_id or None,
        "state": str(public_state(case, now)),
        "trace_id": case.trace_id or None,
        "resume_token": case.resume_token or None,
    }


def _case_of_action(case: Case | None, now: datetime) -> dict[str, Any]:
    """The case beside an action, whose own ``state`` stands in the event."""
    if case is None:
        return dict.fromkeys(("case_id", "external_id", "case_state", "trace_id", "resume_token"))
    part = _case_part(case, now)
    return {"case_state": part.pop("state"), **part}


def _outcome(case: Case, now: datetime) -> dict[str, Any] | None:
    outcome = outcome_document(case, now, details_of([case], system_actor())[case.pk].get("actions", []))
    return outcome and {
        name: rfc3339(value) if isinstance(value, datetime) else value for name, value in outcome.items()
    }
