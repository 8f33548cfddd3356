"""The trail's rows in words: what happened, what became different, which version, and where to look."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin import site
from django.db.models import Field
from django.urls import reverse

from approvals.models import ActionVote, ExecutionResult, ProposedAction
from cases.ids import from_wire
from cases.models import (
    Case,
    CaseEvent,
    ChangeAnswer,
    ChangeRequest,
    Content,
    CustomerNotice,
    DataView,
    Delivery,
    Denial,
    Draft,
    PolicyVersion,
    Promise,
    Tenant,
    User,
)
from cases.vocabulary import Verdict
from cases.worddiff import Chunk, diff
from queues.models import Claim, Passage, StepFired

from ..models import CorrectionLabel, Review
from . import house_wording
from .trail import Row

TEXT = 40  # characters from which a change is shown word by word
LONGEST = 2_000  # characters of a value
_CHANGED = {"+": "Created", "~": "Changed", "-": "Deleted"}
_BOOKS = frozenset(
    {"xid", "request_id", "history_id", "history_date", "history_type", "history_user_id", "history_change_reason"}
)
_VERSIONS = ("version", "executor_version", "revision")


@dataclass(frozen=True)
class Difference:
    """A field that changed. ``chunks``: a text word by word, instead of ``before`` and ``after``."""

    label: str
    before: str = ""
    after: str = ""
    chunks: Sequence[Chunk] = ()


@dataclass(frozen=True)
class Line:
    """A row of the trail as people read it. ``reference`` names it in an export; empty: it is not sealed."""

    row: Row
    what: str
    who: str
    behalf: str
    case: str
    details: str = ""
    said: str = ""
    version: str = ""
    url: str = ""
    reference: str = ""
    request_url: str = ""
    differences: Sequence[Difference] = field(default_factory=tuple)


@dataclass(frozen=True)
class _Names:
    """What the rows of a page refer to, each kind read at once."""

    people: Mapping[UUID, User]
    cases: Mapping[UUID, Case]
    texts: Mapping[UUID, Content]
    drafts: Mapping[UUID, int]
    versions: Mapping[UUID, int]

    def person(self, key: Any) -> str:
        found = self.people.get(_uuid(key)) if key else None
        return str(found) if found else ""


def lines(rows: Sequence[Row], tenant: Tenant, may_export: Any) -> list[Line]:
    """``rows`` of ``tenant`` in words, in a fixed number of queries. ``may_export`` tells whether a source's rows may
    be exported."""
    names = _names(rows)
    return [_line(row, names, tenant, may_export) for row in rows]


def _names(rows: Sequence[Row]) -> _Names:
    people = {key for row in rows for key in (row.who, row.behalf) if key}
    for row in rows:
        for data in (row.data, row.before or {}):
            people |= {_uuid(data.get(name)) for name in _people_of(row) if data.get(name)}
    reviews = [row.data for row in rows if row.source.model is Review]
    return _Names(
        people=User.objects.in_bulk(people),
        cases=Case.objects.only("id", "external_id").in_bulk({row.case for row in rows if row.case}),
        texts=Content.objects.in_bulk({row.text for row in rows if row.text}),
        drafts=dict(Draft.objects.filter(pk__in={one["draft_id"] for one in reviews}).values_list("pk", "number")),
        versions=dict(
            PolicyVersion.objects.filter(pk__in={one["policy_version_id"] for one in reviews}).values_list(
                "pk", "number"
            )
        ),
    )


def _people_of(row: Row) -> list[str]:
    return [f.column for f in row.source.model._meta.concrete_fields if f.is_relation and f.related_model is User]


def _line(row: Row, names: _Names, tenant: Tenant, may_export: Any) -> Line:
    case = names.cases.get(row.case) if row.case else None
    text = names.texts.get(row.text) if row.text else None
    what, details = _history(row) if row.source.is_history else _WORDS.get(row.source.model, _plain)(row, names)
    return Line(
        row,
        what,
        who=names.person(row.who) or ("" if row.who is None else "somebody who is gone"),
        behalf=names.person(row.behalf) if row.behalf != row.who else "",
        case="" if case is None else case.external_id or f"{case.wire_id[:18]}…",
        details=details,
        said=_said(text),
        version=_version(row, names),
        url=_url(row),
        reference=f"{row.source.table}:{row.key}" if row.source.is_sealed and may_export(row.source) else "",
        request_url=_request_url(row.request, tenant),
        differences=_differences(row, names) if row.source.is_history else _asked_differences(row),
    )


def _said(text: Content | None) -> str:
    if text is None:
        return ""
    if text.is_erased:
        return "(erased)"
    return str(next((value for value in text.text.values() if isinstance(value, str)), ""))[:LONGEST]


# --- what happened ---------------------------------------------------------------------------------------------------


def _event(row: Row, names: _Names) -> tuple[str, str]:
    kind = row.data["kind"]
    said = [row.data["subject"]] if row.data["subject"] else []
    said += [
        f"{_spaced(name)}: {_value(value)}" for name, value in row.data["data"].items() if value not in (None, "", [])
    ]
    return CaseEvent.Kind(kind).label if kind in CaseEvent.Kind.values else kind, ", ".join(said)[:LONGEST]


def _review(row: Row, names: _Names) -> tuple[str, str]:
    kind, verdict = Review.Kind(row.data["kind"]).label, row.data["verdict"]
    said = [row.data["final_decision"], "override" if row.data["is_override"] else ""]
    said.append("blind" if row.data["is_blind"] else "")
    what = f"{kind}: {Verdict(verdict).label}" if verdict in Verdict.values else str(kind)
    return what, ", ".join(filter(None, said))


def _view(row: Row, names: _Names) -> tuple[str, str]:
    return DataView.What(row.data["what"]).label, "with the customer" if row.data["with_customer"] else ""


def _denial(row: Row, names: _Names) -> tuple[str, str]:
    return "Refused", f"{_spaced(row.data['permission'])} on {row.data['subject']}"


def _request(row: Row, names: _Names) -> tuple[str, str]:
    return "Asked a second person for a change", row.data["subject"]


def _answer(row: Row, names: _Names) -> tuple[str, str]:
    return f"Second person: {ChangeAnswer.Verdict(row.data['verdict']).label.lower()}", ""


def _signature(row: Row, names: _Names) -> tuple[str, str]:
    return f"Signature: {ActionVote.Verdict(row.data['verdict']).label.lower()}", ""


def _result(row: Row, names: _Names) -> tuple[str, str]:
    return (
        f"Execution: {row.data['state']}",
        f"{ExecutionResult.Source(row.data['source']).label}, attempt {row.data['attempt']}",
    )


def _label(row: Row, names: _Names) -> tuple[str, str]:
    return f"Labelled {_spaced(row.data['label'])}" if row.data["label"] else "Label taken back", ""


def _passage(row: Row, names: _Names) -> tuple[str, str]:
    return "Left its queue", f"since {_value(row.data['entered_at'])}, by {row.data['end']}"


def _step(row: Row, names: _Names) -> tuple[str, str]:
    return f"{row.data['share']} % of its time had passed", ""


def _promise(row: Row, names: _Names) -> tuple[str, str]:
    return "Customer promised an answer", f"by {_value(row.data['by'])}"


def _claim(row: Row, names: _Names) -> tuple[str, str]:
    data = row.data
    ended = f"until {_value(data['ended_at'])}: {Claim.End(data['end']).label.lower()}" if data["ended_at"] else "still"
    by = names.person(data["ended_by_id"])
    return "Taken", f"{ended}{f', by {by}' if by else ''}"


def _notice(row: Row, names: _Names) -> tuple[str, str]:
    return f"Message to the customer: {row.data['occasion']}", f"{row.data['way']}, {row.data['state']}"


def _delivery(row: Row, names: _Names) -> tuple[str, str]:
    return "Delivered to a webhook", f"answer {row.data['last_status']}, attempt {row.data['attempts']}"


def _plain(row: Row, names: _Names) -> tuple[str, str]:
    return row.source.model._meta.verbose_name.capitalize(), ""


_WORDS = {
    CaseEvent: _event,
    Review: _review,
    DataView: _view,
    Denial: _denial,
    ChangeRequest: _request,
    ChangeAnswer: _answer,
    ActionVote: _signature,
    ExecutionResult: _result,
    CorrectionLabel: _label,
    Passage: _passage,
    StepFired: _step,
    Promise: _promise,
    Claim: _claim,
    CustomerNotice: _notice,
    Delivery: _delivery,
    **house_wording.WORDS,
}


# --- what became different -------------------------------------------------------------------------------------------


def _history(row: Row) -> tuple[str, str]:
    tracked = row.source.model.instance_type
    named = next((str(row.data[name]) for name in ("name", "title", "slug", "key") if row.data.get(name)), "")
    return f"{_CHANGED[row.data['history_type']]}: {tracked._meta.verbose_name}", named[:200]


def _differences(row: Row, names: _Names) -> list[Difference]:
    """What a change changed; of what was created nothing, for everything in it is new."""
    if row.before is None:
        return []
    untold = set(getattr(site._registry.get(row.source.model.instance_type), "untold", ()))
    found = []
    for column in row.source.model._meta.concrete_fields:
        before, after = row.before.get(column.column), row.data.get(column.column)
        if before == after or column.column in _BOOKS or column.name in untold:
            continue
        label = str(column.verbose_name)
        if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > TEXT:
            found.append(Difference(label, chunks=diff(before[:LONGEST], after[:LONGEST])))
        else:
            found.append(Difference(label, _shown(column, before, names), _shown(column, after, names)))
    return found


def _asked_differences(row: Row) -> list[Difference]:
    if row.source.model is not ChangeRequest:
        return []
    return [Difference(*(str(part) for part in one[:3])) for one in row.data["differences"] if len(one) >= 3]


def _shown(column: Field, value: Any, names: _Names) -> str:
    if value in (None, ""):
        return "–"
    if column.is_relation and column.related_model is User:
        return names.person(value) or str(value)
    return (
        str(dict(column.flatchoices).get(value, ""))
        if column.choices and not isinstance(value, list)
        else _value(value)
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "–"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)[:LONGEST]
    text = str(value)[:LONGEST]
    return f"{text[:10]} {text[11:19]} UTC" if text.endswith("+00:00") and text[10:11] == "T" else text


def _spaced(name: str) -> str:
    return name.replace("_", " ")


# --- which version, and where to look ---------------------------------------------------------------------------------


def _version(row: Row, names: _Names) -> str:
    data = row.data
    if row.source.model is Review:
        draft = names.drafts.get(_uuid(data["draft_id"]), "?")
        return f"draft {draft}, policy {names.versions.get(_uuid(data['policy_version_id']), '?')}"
    if row.source.model is CaseEvent:
        return f"draft {data['data']['number']}" if "number" in data["data"] else ""
    if row.source.model is PolicyVersion:
        return f"version {data['number']}"
    if payload := data.get("payload_hash"):
        return f"payload {str(payload).removeprefix(chr(92) + 'x')[:12]}"
    return next((f"{_spaced(name)} {data[name]}" for name in _VERSIONS if data.get(name)), "")


def _url(row: Row) -> str:
    """The page of what it is about, as far as there is one; the page itself asks who may see it."""
    if row.source.model is ChangeRequest or row.source.model is ChangeAnswer:
        return reverse("admin:cases_changerequest_change", args=[row.data.get("id") or row.data.get("request_id")])
    if row.source.action and (
        action := row.data.get("action_id") or row.data.get("execution_id") or row.data.get("id")
    ):
        return reverse("admin:approvals_proposedaction_change", args=[action])
    if row.source.model is CaseEvent and (action := from_wire(ProposedAction.PREFIX, row.data["subject"])):
        return reverse("admin:approvals_proposedaction_change", args=[action])
    if url := house_wording.url_of(row):
        return url
    if row.case:
        return reverse("admin:cases_case_change", args=[row.case])
    if row.source.model is Denial:
        return reverse("admin:cases_denial_change", args=[row.key])
    if row.source.is_history:
        tracked = row.source.model.instance_type
        if tracked in site._registry:
            name = f"admin:{tracked._meta.app_label}_{tracked._meta.model_name}_history"
            return reverse(name, args=[row.data[tracked._meta.pk.column]])
    return ""


def _request_url(request: str, tenant: Tenant) -> str:
    """Everything else that the same request, task or command did."""
    return f"{reverse('admin:audit')}?{urlencode({'tenant': tenant.slug, 'request': request})}" if request else ""


def _uuid(value: Any) -> UUID | None:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None
