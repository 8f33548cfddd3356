"""The weekly export of overrides: what is in it, when, and how it is told."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client

from cases.clock import pretend_now
from cases.models import Case, CaseEvent, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import lifecycle
from cases.signing import new_secret
from cases.vocabulary import Verdict
from feedback.models import ExportedOverride, Review, WeeklyExport
from feedback.override_rows import COLUMNS, CORRECTION_COLUMNS
from feedback.row_files import formula_free, formula_safe
from feedback.services import labels, reviews, weekly, weekly_files
from feedback.services.weekly import export_due
from feedback.submission import Submission
from feedback.tasks import export_overrides
from feedback.weeks import Week
from tests.feedback.corrections import decide, decide_case, override
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)  # in 2026-W10
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


@pytest.fixture
def folder(settings, tmp_path):
    """Exports go to a folder of this test."""
    backend = {"BACKEND": "feedback.folders.ExportFolder", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"exports": backend}
    return tmp_path


@pytest.fixture
def world(folder):
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def run(world, now: datetime) -> list[WeeklyExport]:
    with pretend_now(now):
        return export_due(world.tenant)


def lines(folder, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / "acme" / name).read_text().splitlines()]


def told(folder, name: str) -> list[str]:
    return [row["review_id"] for row in lines(folder, name)]


# --- which week -----------------------------------------------------------------------------------------------------


def test_a_week_is_exported_on_the_monday_after_it_and_not_before(world, folder):
    review = override(world, at=MONDAY)
    assert run(world, MONDAY + 6 * DAY) == []
    (export,) = run(world, MONDAY + WEEK)
    assert (str(export.iso_week), export.state, export.counts["overrides"]) == ("2026-W10", "ready", 1)
    assert told(folder, "overrides-2026-W10.jsonl") == [review.wire_id]
    assert run(world, MONDAY + WEEK + DAY) == [], "the next week is not over"


@pytest.mark.parametrize(("zone", "week"), [("Pacific/Auckland", "2026-W11"), ("America/New_York", "2026-W10")])
def test_monday_is_the_tenants_own(folder, zone, week):
    world = make_world(time_zone=zone)
    override(world, at=datetime(2026, 3, 8, 18, tzinfo=UTC))  # Monday 07:00 in Auckland, Sunday in New York.
    (first, *_) = run(world, MONDAY + 2 * WEEK)
    assert str(first.iso_week) == week


def test_missed_weeks_are_made_up_for_one_file_each_and_an_empty_week_says_so(world, folder):
    first, third = override(world, at=MONDAY), override(world, at=MONDAY + 2 * WEEK)
    exports = run(world, MONDAY + 3 * WEEK)
    assert [str(export.iso_week) for export in exports] == ["2026-W10", "2026-W11", "2026-W12"]
    assert told(folder, "overrides-2026-W10.jsonl") == [first.wire_id]
    assert told(folder, "overrides-2026-W11.jsonl") == []
    assert told(folder, "overrides-2026-W12.jsonl") == [third.wire_id]


def test_the_weeks_around_a_clock_change_hold_each_override_once(folder):
    world = make_world(time_zone="Europe/Berlin")
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for hours in (-25, -1, 0, 1, 20, 21, 22):  # The week ends at 22:00 UTC: an hour earlier than the one before.
        override(world, at=change + timedelta(hours=hours))
    counts = [export.counts["overrides"] for export in run(world, change + 2 * WEEK)]
    assert counts == [5, 2]


def test_an_override_that_is_final_late_goes_out_with_the_next_week_and_says_so(world, folder):
    held = override(world, at=MONDAY)
    Case.objects.filter(pk=held.case_id).update(open_actions=1)
    on_time = override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    assert told(folder, "overrides-2026-W10.jsonl") == [on_time.wire_id]
    Case.objects.filter(pk=held.case_id).update(open_actions=0)
    (export,) = run(world, MONDAY + 2 * WEEK)
    (row,) = lines(folder, "overrides-2026-W11.jsonl")
    assert (row["review_id"], row["week"], row["is_late"]) == (held.wire_id, "2026-W10", True)
    assert export.counts == {"overrides": 1, "late": 1, "corrections": 0}


# --- which reviews ----------------------------------------------------------------------------------------------------


def test_only_final_overrides_of_real_cases_go_out(world, folder):
    mine = override(world, at=MONDAY)
    rejected = decide(world, Submission(Verdict.REJECT, reason_code="tone"), at=MONDAY)
    decide(world, Submission(Verdict.ACCEPT), at=MONDAY)
    decide(world, Submission(Verdict.NEEDS_EDIT, notes="again"), at=MONDAY)
    decide(world, Submission(Verdict.EDIT, final_answer="Own words.", notes="no draft"), at=MONDAY, model_draft=None)
    with pretend_now(MONDAY):
        undone = decide_case(world, world.submit(), Submission(Verdict.REJECT, notes="no"))
        reviews.undo(undone.case_id, actor=world.reviewer)
    for purpose in ("challenge", "probe"):
        Case.objects.filter(pk=override(world, at=MONDAY).case_id).update(purpose=purpose)
    withdrawn = override(world, at=MONDAY)
    with pretend_now(MONDAY + DAY):
        lifecycle.reopen(withdrawn.case_id, actor=world.supervisor, reason="appeal")
        lifecycle.withdraw(withdrawn.case_id, actor=world.supervisor, reason="settled")
    run(world, MONDAY + WEEK)
    assert told(folder, "overrides-2026-W10.jsonl") == [mine.wire_id, rejected.wire_id]


def test_a_case_that_is_reopened_later_keeps_its_row_and_gets_another(world, folder):
    first = override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    with pretend_now(MONDAY + WEEK):
        lifecycle.reopen(first.case_id, actor=world.supervisor, reason="appeal")
        second = decide_case(world, first.case, Submission(Verdict.REJECT, notes="no after all"), user=world.colleague)
    run(world, MONDAY + 2 * WEEK)
    assert told(folder, "overrides-2026-W10.jsonl") == [first.wire_id]
    assert told(folder, "overrides-2026-W11.jsonl") == [second.wire_id]


def test_no_row_of_another_tenant_is_in_it(world, folder):
    other = make_world("other")
    override(world, at=MONDAY)
    theirs = override(other, at=MONDAY)
    run(world, MONDAY + WEEK)
    assert theirs.wire_id not in told(folder, "overrides-2026-W10.jsonl")
    assert not ExportedOverride.objects.filter(review=theirs).exists()
    assert not (folder / "other").exists()


# --- the files --------------------------------------------------------------------------------------------------------


def test_a_row_carries_the_humans_reasoning_its_label_and_whether_it_is_trainable(world, folder):
    texts = {"policy_reason": "30 days", "incorrect_evidence": ("returns",), "better_retrieval_query": "returns 2026"}
    review = override(world, at=MONDAY, case={"external_id": "conv-1"}, **texts)
    labels.label(review.pk, "model_error", actor=world.supervisor)
    run(world, MONDAY + WEEK)
    (row,) = lines(folder, "overrides-2026-W10.jsonl")
    assert tuple(row) == COLUMNS
    assert (row["case_id"], row["external_id"], row["verdict"]) == (review.case.wire_id, "conv-1", "edit")
    assert (row["final_answer"], row["notes"]) == ("No: within 30 days.", "30 days, not 60")
    assert (row["policy_reason"], row["incorrect_evidence"]) == ("30 days", ["returns"])
    assert (row["label"], row["is_trainable"]) == ("model_error", True)
    assert "policy_classifier" in row["feeds"]
    assert row["decided_at"] == "2026-03-02T12:00:00Z"


def test_a_label_that_trains_nothing_and_no_label_are_not_trainable(world, folder):
    labels.label(override(world, at=MONDAY).pk, "one_off_context", actor=world.supervisor)
    override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    rows = lines(folder, "overrides-2026-W10.jsonl")
    assert [(row["label"], row["is_trainable"], row["feeds"]) for row in rows] == [
        ("one_off_context", False, []),
        (None, False, []),
    ]


def test_the_table_file_holds_the_same_rows_and_nothing_that_a_spreadsheet_would_run(world, folder):
    override(world, at=MONDAY, notes='=HYPERLINK("https://evil.example")', final_answer='-1\r\n+2, "three"')
    run(world, MONDAY + WEEK)
    text = (folder / "acme" / "overrides-2026-W10.csv").read_bytes().decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["notes"] == '\'=HYPERLINK("https://evil.example")'
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())
    (same,) = lines(folder, "overrides-2026-W10.jsonl")
    assert formula_free(row["final_answer"]) == same["final_answer"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t1", "\r1", "a", "", "'", "'a", "''=1"])
def test_what_is_made_safe_for_a_spreadsheet_comes_back_as_it_was(text):
    assert not formula_safe(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert formula_free(formula_safe(text)) == text


def test_the_manifest_tells_how_to_check_the_files(world, folder):
    override(world, at=MONDAY)
    (export,) = run(world, MONDAY + WEEK)
    manifest = json.loads((folder / "acme" / "overrides-2026-W10.manifest.json").read_text())
    assert (manifest["export_id"], manifest["week"], manifest["kind"]) == (export.wire_id, "2026-W10", "overrides")
    for file in manifest["files"]:
        data = (folder / file["key"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert [file["rows"] for file in manifest["files"]] == [1, 1]
    assert int(export.watermark) > 0


def test_an_erased_text_is_null_in_a_file_that_is_written_later(world, folder):
    review = override(world, at=MONDAY)
    type(review.content).objects.filter(case_id=review.case_id).update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=MONDAY
    )
    run(world, MONDAY + WEEK)
    (row,) = lines(folder, "overrides-2026-W10.jsonl")
    assert (row["final_answer"], row["user_question"], row["model_draft"]) == (None, None, None)


# --- late labels ------------------------------------------------------------------------------------------------------


def test_a_late_label_comes_in_the_next_weeks_correction_file_and_rewrites_nothing(world, folder):
    review, other = override(world, at=MONDAY), override(world, at=MONDAY)
    labels.label(other.pk, "model_error", actor=world.supervisor)
    run(world, MONDAY + WEEK)
    before = (folder / "acme" / "overrides-2026-W10.jsonl").read_bytes()
    labels.label(review.pk, "bad_retrieval", actor=world.supervisor)
    (export,) = run(world, MONDAY + 2 * WEEK)
    assert (folder / "acme" / "overrides-2026-W10.jsonl").read_bytes() == before
    (row,) = lines(folder, "overrides-2026-W11-corrections.jsonl")
    assert tuple(row) == CORRECTION_COLUMNS
    assert (row["review_id"], row["exported_in"]) == (review.wire_id, "2026-W10")
    assert (row["label_before"], row["label"], row["is_trainable"]) == (None, "bad_retrieval", True)
    assert export.counts["corrections"] == 1
    assert [file["key"].rpartition("/")[2] for file in export.files][2:4] == [
        "overrides-2026-W11-corrections.jsonl",
        "overrides-2026-W11-corrections.csv",
    ]


def test_a_label_is_told_once_and_told_again_only_when_it_changes(world, folder):
    review = override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    first = labels.label(review.pk, "model_error", actor=world.supervisor)
    assert run(world, MONDAY + 2 * WEEK)[0].counts["corrections"] == 1
    assert run(world, MONDAY + 3 * WEEK)[0].counts["corrections"] == 0
    labels.take_back(first.pk, actor=world.supervisor)
    assert run(world, MONDAY + 4 * WEEK)[0].counts["corrections"] == 1
    (row,) = lines(folder, "overrides-2026-W13-corrections.jsonl")
    assert (row["label_before"], row["label"], row["is_trainable"]) == ("model_error", None, False)


def test_a_label_that_came_and_went_within_a_week_is_no_correction(world, folder):
    review = override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    labels.take_back(labels.label(review.pk, "model_error", actor=world.supervisor).pk, actor=world.supervisor)
    assert run(world, MONDAY + 2 * WEEK)[0].counts["corrections"] == 0


# --- told, once -------------------------------------------------------------------------------------------------------


def test_it_is_announced_once_by_a_webhook_with_its_id_and_its_digest(world, folder):
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://acme.example/hook", secret=new_secret())
    endpoint.save_as(system_actor(), "created")
    override(world, at=MONDAY)
    (export,) = run(world, MONDAY + WEEK)
    assert weekly_files.deliver(export) is False
    event = CaseEvent.objects.get(kind=CaseEvent.Kind.EXPORT_READY)
    assert (event.tenant, event.subject, event.data["week"]) == (world.tenant, export.wire_id, "2026-W10")
    assert (event.data["export_kind"], event.data["sha256"]) == ("overrides", export.files[0]["sha256"])
    assert endpoint.deliveries.filter(event=event).count() == 1


def test_what_was_killed_while_writing_is_written_again_under_the_same_names(world, folder):
    override(world, at=MONDAY)
    with pretend_now(MONDAY + WEEK):
        export = weekly.fix_next(world.tenant)
        weekly_files._take(export)  # And then the process was killed.
        override(world, at=MONDAY + WEEK)
        assert export_due(world.tenant) == [], "somebody may still be writing"
    (done,) = run(world, MONDAY + WEEK + 2 * weekly_files.LEASE)
    assert (done.pk, done.attempt, done.counts["overrides"]) == (export.pk, 2, 1)
    assert sorted(path.name for path in (folder / "acme").iterdir()) == [
        "overrides-2026-W10.csv",
        "overrides-2026-W10.jsonl",
        "overrides-2026-W10.manifest.json",
    ]


def test_a_writer_that_was_overtaken_finishes_nothing(world, folder):
    override(world, at=MONDAY)
    with pretend_now(MONDAY + WEEK):
        export = weekly.fix_next(world.tenant)
        slow = weekly_files._take(export)
    with pretend_now(MONDAY + WEEK + 2 * weekly_files.LEASE):
        assert weekly_files.deliver(WeeklyExport.objects.get(pk=export.pk)) is True
        assert weekly_files._finish(export, slow, []) is False
        with pytest.raises(weekly_files.LeaseLost):
            weekly_files._renew(export, slow)
    assert CaseEvent.objects.filter(kind=CaseEvent.Kind.EXPORT_READY).count() == 1
    assert WeeklyExport.objects.get(pk=export.pk).files != []


def test_a_storage_that_is_down_costs_one_tenant_a_beat_and_the_others_nothing(world, folder):
    other = make_world("other")
    override(world, at=MONDAY)
    override(other, at=MONDAY)
    (folder / "acme").write_text("a file where the folder should be")
    with pretend_now(MONDAY + WEEK):
        export_overrides()
    assert WeeklyExport.objects.get(tenant=world.tenant).state == "frozen"
    assert WeeklyExport.objects.get(tenant=other.tenant).state == "ready"
    (folder / "acme").unlink()
    with pretend_now(MONDAY + WEEK + timedelta(minutes=15)):
        export_overrides()
    assert WeeklyExport.objects.get(tenant=world.tenant).state == "ready"


def test_a_beat_that_died_shows_on_the_health_page(world, folder):
    override(world, at=MONDAY)
    run(world, MONDAY + WEEK)
    due = Week(2026, 11).ends_at(ZoneInfo("UTC"))
    assert not weekly.is_behind(due + timedelta(hours=2))
    assert weekly.is_behind(due + timedelta(hours=4))
    with pretend_now(due + timedelta(hours=2)):
        weekly.fix_next(world.tenant)
    assert not weekly.is_behind(due + timedelta(hours=3))
    assert weekly.is_behind(due + timedelta(hours=5)), "made and not delivered"


# --- what the database holds ------------------------------------------------------------------------------------------


def test_a_week_has_one_export_and_an_override_goes_out_once_whoever_writes(world, folder):
    review = override(world, at=MONDAY)
    (export,) = run(world, MONDAY + WEEK)
    twin = WeeklyExport(**{f.attname: getattr(export, f.attname) for f in export._meta.fields if f.name != "id"})
    for broken in (
        lambda: WeeklyExport.objects.bulk_create([twin]),
        lambda: ExportedOverride.objects.create(export=export, review=review),
        lambda: ExportedOverride.objects.filter(review=review).delete(),
        lambda: WeeklyExport.objects.filter(pk=export.pk).update(state="frozen", ready_at=None),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            broken()


def test_the_folder_never_shows_half_a_file(folder):
    class Torn:
        def chunks(self):
            yield b"half"
            raise OSError("the disk is full")

    with pytest.raises(OSError):
        storages["exports"]._save("acme/a.jsonl", Torn())
    assert list((folder / "acme").iterdir()) == []


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_the_command_exports_what_is_due_and_a_dry_run_only_says_what_it_would(world, folder, capsys):
    override(world, at=MONDAY)
    call_command("weekly_overrides", "--tenant", "acme", "--until", "2026-W11", "--dry-run")
    assert "2026-W10: would hold 1 overrides" in capsys.readouterr().out
    assert not WeeklyExport.objects.exists()
    call_command("weekly_overrides", "--tenant", "acme", "--until", "2026-W11")
    assert "acme 2026-W10: 1 overrides (0 late), 0 corrected labels" in capsys.readouterr().out
    assert [export.iso_week for export in WeeklyExport.objects.order_by("year", "week")] == [
        Week(2026, 10),
        Week(2026, 11),
    ]
    call_command("weekly_overrides", "--check")
    with pytest.raises(CommandError, match="no active tenant"):
        call_command("weekly_overrides", "--tenant", "nobody")
    assert Review.objects.count() == 1


def test_who_may_export_sees_what_went_out_and_an_outsider_sees_nothing(world, folder):
    override(world, at=MONDAY)
    (export,) = run(world, MONDAY + WEEK)
    pages = ("/admin/feedback/weeklyexport/", f"/admin/feedback/weeklyexport/{export.pk}/change/")
    outsider = make_world("other").supervisor
    answers = {}
    for user in (world.supervisor, world.compliance, world.reviewer, outsider):
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        answers[user] = [client.get(page) for page in pages]
    for user in (world.supervisor, world.compliance):
        assert [answer.status_code for answer in answers[user]] == [200, 200]
        assert "2026-W10" in answers[user][0].content.decode()
        assert export.files[0]["sha256"] in answers[user][1].content.decode()
    assert [answer.status_code for answer in answers[world.reviewer]] == [403, 403]
    assert [answer.status_code for answer in answers[outsider]] == [200, 302]
    assert "2026-W10" not in answers[outsider][0].content.decode()
