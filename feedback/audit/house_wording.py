"""The trail's rows about the house itself in words: doors, breakers, notices, seals, and what went from them."""

from typing import Any

from django.urls import reverse

from cases.models import (
    AccessEvent,
    AuditRemoval,
    BreakerAlarm,
    BreakerReset,
    BreakerRule,
    ErasureReceipt,
    HeadReceipt,
    Notice,
)

from .trail import Row

# The page of a row, as its admin calls it; the page itself asks who may see it.
PAGES = {
    AccessEvent: "cases_accessevent",
    BreakerAlarm: "cases_breakeralarm",
    ErasureReceipt: "cases_erasurereceipt",
    HeadReceipt: "cases_headreceipt",
    Notice: "cases_notice",
}


def _access(row: Row, names: Any) -> tuple[str, str]:
    data = row.data
    said = [f"by {data['way']}" if data["way"] else "", f"from {data['address']}" if data["address"] else ""]
    return AccessEvent.Kind(data["kind"]).label, ", ".join(filter(None, said))


def _alarm(row: Row, names: Any) -> tuple[str, str]:
    data = row.data
    watched = BreakerRule.Watches(data["watches"]).label.partition(":")[0].lower()
    said = [data["name"], data["domain"], f"{data['hits']} of {data['n']} {watched}"]
    said.append("automation was stopped" if data["trips"] else "")
    return "Alarm of a breaker", ", ".join(filter(None, said))


def _reset(row: Row, names: Any) -> tuple[str, str]:
    return "Alarm looked at", "what is usual is learned again" if row.data["learns_anew"] else ""


def _notice(row: Row, names: Any) -> tuple[str, str]:
    state = Notice.State(row.data["state"]).label.lower()
    to = "" if row.data["user_id"] else " to the team"
    return f"Notice{to}: {row.data['kind']}", f"{row.data['text']} ({state})"


def _erasure(row: Row, names: Any) -> tuple[str, str]:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in row.data["counts"].items())
    return f"Texts erased: {ErasureReceipt.Cause(row.data['cause']).label.lower()}", counts


def _head(row: Row, names: Any) -> tuple[str, str]:
    return "Head of the audit trail published", f"seal {row.data['seal_id']}, {HeadReceipt.Way(row.data['way']).label}"


def _removal(row: Row, names: Any) -> tuple[str, str]:
    data = row.data
    rows = f"{data['rows']} rows of {data['table']} in seal {data['seal_id']}"
    return "Old audit rows removed", f"{rows}, kept for {data['period_days']} days"


WORDS = {
    AccessEvent: _access,
    BreakerAlarm: _alarm,
    BreakerReset: _reset,
    Notice: _notice,
    ErasureReceipt: _erasure,
    HeadReceipt: _head,
    AuditRemoval: _removal,
}


def url_of(row: Row) -> str:
    """The page of a row about the house; empty where it has none."""
    if row.source.model is BreakerReset:
        return reverse("admin:cases_breakeralarm_change", args=[row.data["alarm_id"]])
    name = PAGES.get(row.source.model)
    return reverse(f"admin:{name}_change", args=[row.key]) if name else ""
