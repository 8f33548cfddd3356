"""`docs/integration.md` and `docs/events.md` say what the code does."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rest_framework import serializers
from standardwebhooks import Webhook

from approvals.executors import Outcome
from approvals.services import lifetimes, signing
from cases.clock import db_now, pretend_now
from cases.event_bodies import event_body
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.services import lifecycle, switch
from cases.services.people import issue_token
from cases.signing import new_secret
from cases.wire import examples
from cases.wire.documents import BY_STATUS
from cases.wire.fields import AwareDateTimeField, CurrencyField, JSONObjectField, MoneyField, StrictURLField
from cases.wire.intake import IntakeSerializer, PatternField
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services.deadlines import sweep_deadlines
from tests.approvals.desks import Desk, make_desk, run_due
from tests.approvals.till import Till
from tests.worlds import SURE, World, make_world

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE, EVENTS = (DOCS / "integration.md").read_text(), (DOCS / "events.md").read_text()


# --- the fields of a case --------------------------------------------------------------------------------------------


def rows(fields: dict[str, serializers.Field], path: str = "") -> Iterator[tuple[str, str]]:
    """``(name, what it takes)`` for each field, those of objects after their own row."""
    for name, field in fields.items():
        yield f"{path}{name}", takes(field)
        inner = field.child if isinstance(field, serializers.ListSerializer) else field
        if isinstance(inner, serializers.Serializer):
            mark = "[]." if field is not inner else "."
            yield from rows(inner.fields, f"{path}{name}{mark}")


PATTERNS = {"language": "BCP 47 tag", "sha256": "64 hex digits", "traceparent": "W3C Trace Context"}


def takes(field: serializers.Field) -> str:
    """A field's type and bound in words."""
    required = ", required" if field.required else ""
    match field:
        case AwareDateTimeField():
            words = "instant with offset"
        case MoneyField():
            words = "amount as text"
        case CurrencyField():
            words = "ISO 4217 code"
        case JSONObjectField():
            words = f"object, {field.max_bytes:,} bytes"
        case StrictURLField():
            words = f"address, {field.max_length:,}"
        case PatternField():
            words = PATTERNS.get(field.field_name, "name")
        case serializers.ListSerializer() | serializers.ListField():
            words = f"list, {field.max_length}"
        case serializers.Serializer():
            words = "object"
        case serializers.ChoiceField():
            words = "one of " + ", ".join(f"`{choice}`" for choice in field.choices)
        case serializers.BooleanField():
            words = "true or false"
        case serializers.FloatField():
            words = f"{field.min_value:g} to {field.max_value:g}"
        case _:
            words = f"text, {field.max_length:,}"
    return words + required


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under ``heading``."""
    lines = text.split(f"\n{heading}\n", 1)[1].split("\n## ")[0].splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return found[2:]


def test_the_table_of_fields_is_the_intake():
    written = {cells[0].strip("`"): cells[1] for cells in table(GUIDE, "## Fields of a case")}
    assert written == dict(rows(IntakeSerializer().fields))


def test_every_field_is_explained():
    assert all(len(cells[2]) > 10 for cells in table(GUIDE, "## Fields of a case"))


def test_every_status_of_a_failure_is_explained():
    statuses = {int(cells[0]) for cells in table(GUIDE, "## When a request fails")}
    assert set(BY_STATUS) | {409, 412, 422} <= statuses


# --- webhooks --------------------------------------------------------------------------------------------------------


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("name", ["verify_with_library", "verify_by_hand"])
def test_the_verification_in_the_guide_takes_what_is_genuine_and_nothing_else(name: str):
    (code,) = [block for block in blocks(GUIDE, "python") if f"def {name}(" in block]
    scope: dict[str, Any] = {}
    exec(compile(code, "integration.md", "exec"), scope)
    verify, secret, body = scope[name], new_secret(), b'{"type": "case.opened"}'
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, body.decode()),
    }
    assert verify(body, headers, secret) == {"type": "case.opened"}
    forged = "whsec_" + base64.b64encode(b"0" * 24).decode()
    for wrong in (
        (body + b" ", headers, secret),
        (body, headers, forged),
        (body, headers | {"webhook-timestamp": str(int(at.timestamp()) - 3600)}, secret),
    ):
        with pytest.raises(Exception):  # noqa: B017 - each of the two raises its own
            verify(*wrong)


# --- events ----------------------------------------------------------------------------------------------------------


def documented() -> dict[str, dict[str, Any]]:
    """Each kind with the body that stands under its heading."""
    sections = re.split(r"^### `([a-z_.]+)`$", EVENTS, flags=re.MULTILINE)[1:]
    return {kind: json.loads(blocks(text, "json")[0]) for kind, text in zip(sections[::2], sections[1::2], strict=True)}


@pytest.fixture
def world(db: None) -> World:
    return make_world("acme", undo_seconds=0, rules={"sampling_share": 0.0})


def happenings(world: World) -> None:
    """A life that sends every event which can be sent today."""
    automatic = world.submit(signals=SURE, external_id="a")
    lifecycle.escalate(automatic.pk, actor=world.service)
    world.submit(proposed_action={"action": "issue_refund", "params": {}, "amount": "5.00", "currency": "USD"})
    world.submit(sla_deadline="2020-01-01T00:00:00Z")
    lifecycle.withdraw(world.submit().pk, actor=world.service)
    for verdict in ("accept", "needs_edit"):
        entry = world.claim()
        reviews.submit(
            entry.case_id,
            Submission(verdict=verdict, notes="It needs the date."),
            actor=world.reviewer,
            generation=entry.generation,
        )
        if verdict == "accept":
            lifecycle.reopen(entry.case_id, actor=world.supervisor, reason="appeal")
    Entry.objects.filter(breached_at=None).update(due_at=db_now())
    sweep_deadlines()
    switch.stop(switch.Scope(world.tenant, "billing"), actor=world.supervisor, reason="wrong prices")
    switch.resume(switch.Scope(world.tenant, "billing"), actor=world.supervisor, reason="right again")


def action_happenings(desk: Desk) -> None:
    """Every end that an action can come to, and what leads there; with a case and without."""
    refund = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "420.00", "currency": "USD"}
    desk.world.submit(proposed_action=refund)
    desk.approve(desk.propose())
    for answer in (Outcome("failed", {}, "Charged back."), Outcome("unknown", {}, "No answer came.")):
        run_due()
        Till.says["execute"] = answer
        desk.approve(desk.propose())
    run_due()
    refused = desk.propose()
    signing.reject(refused.pk, actor=desk.ann, payload_hash=bytes(refused.payload_hash), reason="not owed")
    desk.propose()
    with pretend_now(db_now() + timedelta(days=3)):
        lifetimes.expire_due()


def test_every_event_that_is_sent_is_documented_and_no_other():
    sent = {kind.value for kind in CaseEvent.Kind} - {kind.value for kind in CaseEvent.INTERNAL}
    assert set(documented()) == sent


def test_every_documented_body_has_the_fields_of_the_event_itself(world: World, settings: Any):
    happenings(world)
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    action_happenings(make_desk("other"))
    seen = set()
    for event in CaseEvent.objects.select_related("tenant").order_by("id"):
        if not event.is_public:
            continue
        body, shown = event_body(event), documented()[event.kind]
        seen.add(event.kind)
        assert set(body) == set(shown), event.kind
        assert set(body["data"]) == set(shown["data"]), event.kind
        assert shown["type"] == event.kind
        if event.kind.startswith("action."):
            assert body["data"]["state"] == shown["data"]["state"]
        if isinstance(body["data"].get("outcome"), dict):
            assert set(body["data"]["outcome"]) == set(shown["data"]["outcome"])
    assert seen == set(documented()) - {"export.ready", "audit.head"}


def test_the_parts_that_every_event_shares_are_documented_for_the_others_too(world: World):
    case = world.submit()
    for kind, shown in documented().items():
        about = None if kind.startswith(("automation.", "export.", "audit.")) else case
        event = CaseEvent(tenant=world.tenant, case=about, kind=kind, actor=system_actor(), at=db_now(), subject="x")
        assert set(event_body(event)["data"]) <= set(shown["data"]), kind


def test_the_ids_in_the_examples_are_the_ones_of_the_schema():
    assert all(body["id"].startswith("evt_") for body in documented().values())
    assert examples.CASE_ID in EVENTS


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the path")
def test_the_curls_of_the_guide_work_one_after_another(live_server: Any, settings: Any, tmp_path: Path):
    settings.PUBLIC_URL = live_server.url
    world = make_world("acme")
    tokens = {
        name: issue_token(user, actor=system_actor(), tenant=world.tenant)
        for name, user in (("TOKEN", world.service), ("SUPERVISOR_TOKEN", world.supervisor))
    }
    answers = [
        subprocess.run(
            ["bash", "-ec", block.replace("curl -s ", "curl -sf ")],
            cwd=tmp_path,
            env=os.environ | {"URL": live_server.url} | tokens,
            capture_output=True,
            check=True,
        ).stdout
        for block in blocks(GUIDE, "sh")
        if "curl" in block and "pip install" not in block
    ]
    automation, receipt, listed, metrics = map(json.loads, answers)
    shown = re.search(r'^    (\{"ai_automation_enabled.*\})$', GUIDE, re.MULTILINE)[1]
    assert automation == json.loads(shown)
    assert [case["case_id"] for case in listed["results"]] == [receipt["case_id"]]
    assert listed["results"][0]["resume_token"] == "thread-42"
    assert (metrics["tenant_id"], metrics["group_by"], metrics["from"]) == ("acme", "day", "2027-05-01T00:00:00Z")
    assert (tmp_path / "metrics.csv").read_text().startswith("metric,unit,")
