"""Exports over REST, as a pipeline asks for them."""

import hashlib
import json

import pytest

from cases.models import CaseEvent, Delivery, WebhookEndpoint
from cases.models.people import system_actor
from cases.signing import new_secret
from feedback.models import Export
from feedback.services import export_runs
from tests.callers import Caller
from tests.feedback.exporting import folder, labelled  # noqa: F401
from tests.worlds import World, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]

ASKED = {"kind": "preference_pairs", "format": "openai_dpo"}


@pytest.fixture
def world() -> World:
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def caller(world) -> Caller:
    return Caller(world.supervisor, world.tenant)


def test_an_export_is_asked_for_made_announced_and_fetched(world, caller):
    labelled(world, final_answer="No.")
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://acme.example/hook", secret=new_secret())
    endpoint.save_as(system_actor(), "created")
    asked = caller.post("exports/", ASKED | {"filters": {"domain": "billing", "since": "2020-01-01T00:00:00Z"}})
    assert asked.status_code == 202
    export_id = asked.json()["export_id"]
    assert caller.get(f"exports/{export_id}/download/").json()["code"] == "export_not_ready"
    export_runs.sweep()
    ready = caller.get(f"exports/{export_id}/").json()
    assert (ready["state"], ready["progress"], ready["rows_written"]) == ("ready", 1.0, 1)
    assert ready["manifest"]["filters"] == ready["filters"] == asked.json()["filters"]
    file = caller.get(f"exports/{export_id}/download/", headers={"Accept": "application/jsonl, */*"})
    content = b"".join(file.streaming_content)
    assert hashlib.sha256(content).hexdigest() == ready["manifest"]["files"][0]["sha256"]
    assert json.loads(content)["preferred_output"][0]["content"] == "No."
    assert "attachment" in file["Content-Disposition"]
    assert CaseEvent.objects.filter(kind="export.downloaded", actor=world.supervisor).count() == 1
    assert Delivery.objects.get(endpoint=endpoint, event__kind="export.ready").event.subject == export_id
    assert [found["export_id"] for found in caller.get("exports/").json()["results"]] == [export_id]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"kind": "preference_pairs", "format": "promptfoo"}, "format_mismatch", "/format"),
        ({"kind": "everything", "format": "jsonl"}, "invalid", "/kind"),
        ({"kind": "overrides", "format": "xml"}, "invalid", "/format"),
        ({"kind": "overrides"}, "invalid", "/format"),
        (ASKED | {"filters": {"domian": "billing"}}, "invalid", "/filters/domian"),
        (ASKED | {"filters": {"label": "none"}}, "invalid", "/filters/label"),
        (ASKED | {"filters": {"since": "2027-01-01"}}, "invalid", "/filters/since"),
        (
            ASKED | {"filters": {"since": "2027-01-02T00:00:00Z", "until": "2027-01-01T00:00:00Z"}},
            "invalid",
            "/filters/until",
        ),
    ],
)
def test_a_wrong_request_is_a_clear_400_and_starts_nothing(caller, body, code, pointer):
    answer = caller.post("exports/", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert not Export.objects.exists()


def test_a_key_asks_for_one_export(caller):
    answers = [caller.post("exports/", ASKED, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert Export.objects.count() == 1


def test_a_waiting_export_is_cancelled_once(caller):
    export_id = caller.post("exports/", ASKED).json()["export_id"]
    assert caller.post(f"exports/{export_id}/cancel/").json()["state"] == "cancelled"
    assert caller.post(f"exports/{export_id}/cancel/").status_code == 409
    export_runs.sweep()
    assert Export.objects.get().state == "cancelled"


def test_who_may_not_export_gets_no_export(world, caller):
    reviewer = Caller(world.reviewer, world.tenant)
    assert reviewer.post("exports/", ASKED).status_code == 404
    assert reviewer.get("exports/").json()["results"] == []
    export_id = caller.post("exports/", ASKED).json()["export_id"]
    assert reviewer.get(f"exports/{export_id}/").status_code == 404


def test_one_tenant_cannot_fill_the_queue(caller):
    answers = [caller.post("exports/", ASKED).status_code for _ in range(21)]
    assert answers == [202] * 20 + [409]
