"""Exports: what they hold, how often they may be made again, and what becomes of them under kills and cancels."""

import hashlib
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent
from cases.permissions import Denied
from cases.services import lifecycle
from feedback.datasets.filters import Agreement, Filters
from feedback.datasets.splits import Split, split_of
from feedback.errors import DatasetTaken, FormatMismatch, NotCancellable, NotReady
from feedback.kinds import Kind
from feedback.labels import Label
from feedback.models import DatasetVersion, Export, Review
from feedback.services import export_runs, exports, leased, reviews
from tests.feedback.corrections import override, override_now
from tests.feedback.exporting import asked, content, documents, folder, label, labelled, made  # noqa: F401
from tests.worlds import SURE, World, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]


@pytest.fixture
def world() -> World:
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def test_an_export_holds_what_the_labels_imply_and_nothing_else(world):
    other = make_world("other")
    labelled(other, final_answer="another tenant's")
    for number, each in enumerate([*Label, None]):
        review = override(world, final_answer=f"answer {number}")
        if each:
            label(review, each)
    undone = labelled(world, final_answer="undone")
    challenge = labelled(world, final_answer="a challenge")
    Case.objects.filter(pk=challenge.case_id).update(purpose="challenge")
    erased = labelled(world, final_answer="erased")
    erased.content.body = erased.content.salt = None
    erased.content.search_text, erased.content.erased_at = "", db_now()
    erased.content.save()
    label(override_now(world, final_answer="not final yet"), Label.MODEL_ERROR)
    with pretend_now(undone.created_at + timedelta(seconds=1)):
        reviews.undo(undone.case_id, actor=world.reviewer)
    with pretend_now(db_now() - timedelta(hours=2)):
        lifecycle.withdraw(undone.case_id, actor=world.service)
    answers = {
        kind: sorted(found[name] for found in documents(made(world, kind)))
        for kind, name in (
            (Kind.GOLDEN_EVALS, "expected_answer"),
            (Kind.PROMPT_REGRESSIONS, "expected_answer"),
            (Kind.OVERRIDES, "final_answer"),
        )
    }
    assert answers[Kind.GOLDEN_EVALS] == answers[Kind.PROMPT_REGRESSIONS] == ["answer 0", "answer 1"]
    assert answers[Kind.OVERRIDES] == [f"answer {number}" for number in range(5)]
    assert [found["chosen"] for found in documents(made(world, Kind.PREFERENCE_PAIRS))] == ["answer 0"]
    assert documents(made(world, Kind.HARD_NEGATIVES)) == []


def test_a_version_is_frozen_and_can_be_made_again_byte_for_byte(world, tmp_path):
    for number in range(5):
        labelled(world, final_answer=f"answer {number}")
    export = made(world, Kind.GOLDEN_EVALS, "csv")
    version, manifest = export.version, export.version.document
    assert hashlib.sha256(content(export)).hexdigest() == manifest["files"][0]["sha256"]
    assert hashlib.sha256(bytes(version.manifest)).hexdigest() == version.manifest_sha256
    assert manifest["counts"] | {"splits": 0} == {
        "rows": 5,
        "untrainable": 0,
        "duplicates": 0,
        "examples": 5,
        "unfit": 0,
        "lines": 5,
        "splits": 0,
    }
    assert sum(manifest["counts"]["splits"].values()) == 5
    labelled(world, final_answer="later")
    label(Review.objects.earliest("id"), Label.ONE_OFF_CONTEXT)
    assert export_runs.reproduce(version, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content(export)
    again = made(world, Kind.GOLDEN_EVALS, "csv")
    assert (again.version.number, again.rows_written) == (2, 5), "the new one is in, the relabelled one is out"
    with pytest.raises(IntegrityError), transaction.atomic():
        DatasetVersion.objects.filter(pk=version.pk).update(number=9)


def test_what_may_not_be_handed_over_any_more_is_missing_from_a_reproduction(world, tmp_path):
    review = labelled(world)
    version = made(world, Kind.GOLDEN_EVALS).version
    Case.objects.filter(pk=review.case_id).update(purpose="probe")
    assert not export_runs.reproduce(version, tmp_path / "again")


def test_a_review_that_commits_late_is_in_the_next_version_and_never_half_in_one(world):
    labelled(world, final_answer="early")
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            labelled(world, final_answer="late")
            begun.set()
            go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(20)
    first = asked(world, Kind.GOLDEN_EVALS)
    go_on.set()
    thread.join()
    assert [found["expected_answer"] for found in documents(export_runs.run(first.pk))] == ["early"]
    assert len(documents(made(world, Kind.GOLDEN_EVALS))) == 2


def test_filters_narrow_by_domain_release_window_label_agreement_and_split(world):
    first = override(world, final_answer="one", case={"domain": "returns", "release": {"model": "m1"}})
    label(first, Label.BAD_RETRIEVAL)
    second = override(world, final_answer="two", at=db_now() - timedelta(days=3), case={"release": {"model": "m2"}})
    label(second, Label.MODEL_ERROR)
    label(second, Label.MODEL_ERROR, by=world.supervisor)
    third = labelled(world, final_answer="three")
    label(third, Label.BAD_RETRIEVAL, by=world.supervisor)

    def found(**asked_for) -> list[str]:
        export = made(world, Kind.GOLDEN_EVALS, filters=Filters(**asked_for))
        return [document["expected_answer"] for document in documents(export)]

    assert sorted(found()) == ["one", "three", "two"]
    assert found(domain="returns") == ["one"]
    assert found(release={"model": "m2"}) == ["two"]
    assert found(until=db_now() - timedelta(days=2)) == ["two"]
    assert sorted(found(since=db_now() - timedelta(days=2))) == ["one", "three"]
    assert found(label=Label.MODEL_ERROR) == ["two"]
    assert sorted(found(agreement=Agreement.UNDISPUTED)) == ["one", "two"]
    assert found(agreement=Agreement.CONFIRMED) == ["two"]
    parts = {split: found(split=split) for split in Split}
    assert sorted(text for part in parts.values() for text in part) == ["one", "three", "two"]
    assert "one" in parts[split_of(first.case_id)]


def test_what_teaches_the_same_stands_in_an_export_once(world):
    for _ in range(3):
        labelled(world, final_answer="the same")
    export = made(world, Kind.PREFERENCE_PAIRS)
    assert export.rows_written == 1
    assert export.version.document["counts"]["duplicates"] == 2
    assert made(world, Kind.OVERRIDES).rows_written == 3


@pytest.mark.parametrize(("wish", "left"), [("omit", 0), ("mask", 0), ("keep", 4)])
def test_customers_leave_the_house_as_the_tenant_wishes(world, wish, left):
    world.tenant.export_customer = wish
    world.tenant.save()
    customer = {"reference": "cust_981", "email": "dana@example.com", "locale": "en"}
    override(
        world,
        final_answer="Dear dana@example.com, no.",
        notes="see cust_981",
        case={"customer": customer, "user_question": "I am dana@example.com (cust_981)."},
    )
    export = made(world, Kind.OVERRIDES)
    (found,) = documents(export)
    text = content(export).decode()
    assert (text.count("dana@example.com") >= left, text.count("cust_981") >= 1) == (True, wish == "keep")
    assert wish == "keep" or "dana@example.com" not in text
    assert found["customer"] == {"omit": None, "keep": customer}.get(
        wish, {"reference": "cu•••", "email": "da•••", "locale": "en"}
    )
    assert export.version.document["customer_fields"] == wish


def test_a_killed_worker_s_export_is_taken_up_and_ends_the_same(world, monkeypatch):
    for number in range(7):
        labelled(world, final_answer=f"answer {number}")
    monkeypatch.setattr(export_runs, "PAGE", 2)
    whole = content(made(world, Kind.GOLDEN_EVALS))
    export = asked(world, Kind.GOLDEN_EVALS)
    assert export_runs.run(export.pk, seconds=0).state == "queued", "handed on after a page"
    assert Export.objects.get(pk=export.pk).checkpoint["rows_read"] == 2

    class Killed(BaseException):
        pass

    def die(export: Export) -> None:
        raise Killed

    with pytest.raises(Killed):
        export_runs.run(export.pk, progress=die)
    held = Export.objects.get(pk=export.pk)
    assert (held.state, held.rows_read) == ("running", 4)
    assert export_runs.run(export.pk).state == "running", "its lease has not run out"
    Export.objects.filter(pk=export.pk).update(leased_until=db_now() - timedelta(seconds=1))
    export_runs.sweep()
    done = Export.objects.get(pk=export.pk)
    assert (done.state, done.rows_read, content(done)) == ("ready", 7, whole)


def test_an_export_whose_checkpoint_lies_on_another_machine_begins_again(world, folder, monkeypatch):  # noqa: F811
    for number in range(5):
        labelled(world, final_answer=f"answer {number}")
    monkeypatch.setattr(export_runs, "PAGE", 2)
    export = asked(world, Kind.GOLDEN_EVALS)
    export_runs.run(export.pk, seconds=0)
    for path in (folder / "unfinished").iterdir():
        path.unlink()
    assert len(documents(export_runs.run(export.pk))) == 5


def test_an_export_is_cancelled_while_it_runs_and_leaves_nothing(world, folder, monkeypatch):  # noqa: F811
    for number in range(5):
        labelled(world, final_answer=f"answer {number}")
    monkeypatch.setattr(export_runs, "PAGE", 2)
    export = asked(world, Kind.GOLDEN_EVALS)

    def cancel(running: Export) -> None:
        exports.cancel(running.pk, actor=world.supervisor)

    assert export_runs.run(export.pk, progress=cancel).state == "cancelled"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    with pytest.raises(NotCancellable):
        exports.cancel(export.pk, actor=world.supervisor)
    with pytest.raises(NotReady):
        exports.download(Export.objects.get(pk=export.pk), actor=world.supervisor)


def test_an_export_that_keeps_failing_ends_and_says_so(world, monkeypatch, folder):  # noqa: F811
    labelled(world)
    export = asked(world, Kind.GOLDEN_EVALS)
    (folder / "unfinished").write_text("no folder can be made here")
    for _ in range(leased.MOST_ATTEMPTS + 1):
        ended = export_runs.run(export.pk)
    assert (ended.state, ended.error) == ("failed", leased.FAILED)
    assert CaseEvent.objects.filter(kind="export.failed", subject=export.wire_id).count() == 1


def test_the_file_goes_after_its_week_and_the_manifest_stays(world):
    labelled(world)
    export = made(world, Kind.GOLDEN_EVALS)
    with pretend_now(export.expires_at + timedelta(seconds=1)):
        export_runs.sweep()
    export = Export.objects.get(pk=export.pk)
    assert (export.state, export.version.document["counts"]["lines"]) == ("expired", 1)
    with pytest.raises(NotReady):
        exports.download(export, actor=world.supervisor)


def test_asking_fetching_and_cancelling_need_the_right_and_are_kept(world):
    labelled(world)
    export = made(world, Kind.GOLDEN_EVALS)
    exports.download(export, actor=world.compliance).close()
    kinds = CaseEvent.objects.filter(subject=export.wire_id).order_by("id").values_list("kind", "actor__username")
    assert list(kinds) == [
        ("export.requested", "sue@acme"),
        ("export.ready", "sue@acme"),
        ("export.downloaded", "cleo@acme"),
    ]
    for who in (world.reviewer, world.service, make_world("other").supervisor):
        with pytest.raises(Denied):
            exports.request(world.tenant, kind=Kind.OVERRIDES, format="jsonl", actor=who)
        with pytest.raises(Denied):
            exports.download(export, actor=who)
        with pytest.raises(Denied):
            exports.cancel(export.pk, actor=who)


def test_a_format_that_cannot_carry_the_kind_is_refused_with_those_that_can(world):
    with pytest.raises(FormatMismatch, match="openai_dpo"):
        asked(world, Kind.PREFERENCE_PAIRS, "promptfoo")
    asked(world, Kind.OVERRIDES, name="mine")
    with pytest.raises(DatasetTaken):
        asked(world, Kind.FINE_TUNING, name="mine")


def test_the_database_refuses_an_illegal_move_of_an_export(world):
    export = asked(world, Kind.OVERRIDES)
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=export.pk).update(state="expired")


def test_an_automatic_approval_that_nobody_touched_is_no_correction(world):
    world.submit(signals=SURE)
    assert made(world, Kind.OVERRIDES).rows_written == 0
