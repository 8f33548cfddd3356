"""The files of weekly exports: fetched by those who may, on record, with customers as the tenant wishes."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from cases.clock import pretend_now
from cases.models import CaseEvent
from cases.permissions import Denied
from feedback.models import WeeklyExport
from feedback.services import labels, weekly, weekly_downloads
from feedback.services.weekly import export_due
from tests.callers import Caller
from tests.feedback.corrections import override
from tests.feedback.exporting import folder  # noqa: F401
from tests.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folder")]

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)  # in 2026-W10
WEEK = timedelta(days=7)
CUSTOMER = {"reference": "cust_981", "email": "dana@example.com"}


@pytest.fixture
def world() -> World:
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def caller(world) -> Caller:
    return Caller(world.supervisor, world.tenant)


def week_of_an_override(world: World) -> WeeklyExport:
    override(world, at=MONDAY)
    with pretend_now(MONDAY + WEEK):
        (export,) = export_due(world.tenant)
    return export


def content(answer) -> bytes:
    return b"".join(answer.streaming_content)


def page(user, *address) -> object:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(reverse(*address[:1], args=address[1:]))


# --- over the API ----------------------------------------------------------------------------------------------------


def test_a_pipeline_finds_the_week_fetches_its_files_and_is_on_record(world, caller):
    export = week_of_an_override(world)
    (listed,) = caller.get("exports/weekly/").json()["results"]
    assert listed == caller.get(f"exports/weekly/{export.wire_id}/").json()
    assert (listed["week"], listed["state"], listed["counts"]["overrides"]) == ("2026-W10", "ready", 1)
    assert [file["name"] for file in listed["files"]] == ["overrides.jsonl", "overrides.csv", "manifest.json"]
    for file in listed["files"]:
        answer = caller.get(f"exports/weekly/{export.wire_id}/download/", file=file["name"])
        assert hashlib.sha256(content(answer)).hexdigest() == file["sha256"]
        assert f"acme-2026-W10-{file['name']}" in answer["Content-Disposition"]
        assert answer["Cache-Control"] == "no-store"
    plain = caller.get(f"exports/weekly/{export.wire_id}/download/")
    assert json.loads(content(plain))["week"] == "2026-W10", "the rows are what is fetched where nothing is said"
    fetched = CaseEvent.objects.filter(kind="export.downloaded", subject=export.wire_id, actor=world.supervisor)
    names = [*(file["name"] for file in listed["files"]), "overrides.jsonl"]
    assert [event.data["file"] for event in fetched.order_by("id")] == names


def test_labels_that_came_late_are_fetched_as_corrections(world, caller):
    first = week_of_an_override(world)
    address = f"exports/weekly/{first.wire_id}/download/"
    assert caller.get(address, file="corrections.jsonl").status_code == 404, "there are none in this week"
    labels.label(first.overrides.get().review_id, "model_error", actor=world.supervisor)
    with pretend_now(MONDAY + 2 * WEEK):
        (second,) = export_due(world.tenant)
    answer = caller.get(f"exports/weekly/{second.wire_id}/download/", file="corrections.jsonl")
    assert json.loads(content(answer))["label"] == "model_error"


def test_a_week_that_is_being_written_has_no_file_yet(world, caller):
    override(world, at=MONDAY)
    with pretend_now(MONDAY + WEEK):
        export = weekly.fix_next(world.tenant)
    assert caller.get(f"exports/weekly/{export.wire_id}/").json()["files"] == []
    problem = caller.get(f"exports/weekly/{export.wire_id}/download/")
    assert (problem.status_code, problem.json()["code"]) == (409, "export_not_ready")


@pytest.mark.parametrize(
    ("address", "query", "code"),
    [
        ("exports/weekly/{}/download/", {"file": "../manifest.json"}, "invalid"),
        ("exports/weekly/{}/download/", {"file": ""}, "empty_parameter"),
        ("exports/weekly/{}/download/", {"name": "overrides.csv"}, "unknown_parameter"),
        ("exports/weekly/{}/", {"week": "2026-W10"}, "unknown_parameter"),
        ("exports/weekly/", {"state": "ready"}, "unknown_parameter"),
        ("exports/{}/", {"fields": "state"}, "unknown_parameter"),
        ("exports/{}/download/", {"file": "x.csv"}, "unknown_parameter"),
    ],
)
def test_a_parameter_that_is_not_known_is_a_clear_400(world, caller, address, query, code):
    export = week_of_an_override(world)
    answer = caller.get(address.format(export.wire_id), **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_whoever_may_not_export_sees_no_week(world):
    export = week_of_an_override(world)
    for who in (world.reviewer, world.service):
        other = Caller(who, world.tenant)
        assert other.get("exports/weekly/").json()["results"] == []
        assert other.get(f"exports/weekly/{export.wire_id}/download/").status_code == 404
    outsider = make_world("other").supervisor
    for who in (world.reviewer, world.service, outsider):
        with pytest.raises(Denied):
            weekly_downloads.download(export, "overrides.jsonl", actor=who)


# --- in the back office ----------------------------------------------------------------------------------------------


def test_a_supervisor_fetches_a_file_from_its_page_and_an_outsider_gets_none(world):
    export = week_of_an_override(world)
    shown = page(world.supervisor, "admin:feedback_weeklyexport_change", export.pk).content.decode()
    address = reverse("admin:feedback_weeklyexport_download", args=[export.pk, "overrides.csv"])
    assert address in shown and "Leave them out" in shown
    file = page(world.compliance, "admin:feedback_weeklyexport_download", export.pk, "overrides.csv")
    assert content(file).startswith(b"review_id,")
    (event,) = CaseEvent.objects.filter(kind="export.downloaded")
    assert (event.actor, event.data["week"], event.data["file"]) == (world.compliance, "2026-W10", "overrides.csv")
    for outsider in (world.reviewer, make_world("other").supervisor):
        answer = page(outsider, "admin:feedback_weeklyexport_download", export.pk, "overrides.csv")
        assert answer.status_code in (302, 403) and not answer.streaming
    assert page(world.supervisor, "admin:feedback_weeklyexport_download", export.pk, "nothing.csv").status_code == 302
    assert CaseEvent.objects.filter(kind="export.downloaded").count() == 1


# --- customers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "question"),
    [
        ("omit", "I am [email] ([reference])."),
        ("mask", "I am da••• (cu•••)."),
        ("keep", "I am dana@example.com (cust_981)."),
    ],
)
def test_customers_leave_in_weekly_files_as_the_tenant_wishes_and_the_manifest_says_so(
    world,
    folder,  # noqa: F811
    wish,
    question,
):
    world.tenant.export_customer = wish
    world.tenant.save()
    review = override(
        world,
        at=MONDAY,
        final_answer="Dear dana@example.com, no.",
        notes="see cust_981",
        missing_evidence="the record of cust_981",
        better_retrieval_query="orders of cust_981",
        case={"customer": CUSTOMER, "user_question": "I am dana@example.com (cust_981).", "external_id": "x-cust_981"},
    )
    with pretend_now(MONDAY + WEEK):
        export_due(world.tenant)
    labels.label(review.pk, "bad_retrieval", actor=world.supervisor)
    with pretend_now(MONDAY + 2 * WEEK):
        export_due(world.tenant)
    stored = {path.name: path.read_text() for path in (folder / "stored" / "acme").iterdir()}
    row = json.loads(stored["overrides-2026-W10.jsonl"])
    assert row["user_question"] == question
    assert json.loads(stored["overrides-2026-W10.manifest.json"])["customer_fields"] == wish
    for name in ("overrides-2026-W10.jsonl", "overrides-2026-W10.csv", "overrides-2026-W11-corrections.jsonl"):
        assert ("cust_981" in stored[name]) == (wish == "keep"), name


def test_a_wish_that_changes_later_is_for_the_weeks_to_come(world):
    export = week_of_an_override(world)
    world.tenant.export_customer = "keep"
    world.tenant.save()
    with pretend_now(MONDAY + 2 * WEEK):
        (second,) = export_due(world.tenant)
    assert [one.customer_fields for one in (export, second)] == ["omit", "keep"]


def test_a_policy_that_is_named_by_its_code_alone_teaches_the_policy_classifier(world, folder):  # noqa: F811
    review = override(world, at=MONDAY, reason_code="wrong_policy")
    labels.label(review.pk, "model_error", actor=world.supervisor)
    with pretend_now(MONDAY + WEEK):
        export_due(world.tenant)
    row = json.loads((folder / "stored" / "acme" / "overrides-2026-W10.jsonl").read_text())
    assert "policy_classifier" in row["feeds"]
