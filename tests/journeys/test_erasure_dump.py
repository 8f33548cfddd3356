"""After an erasure no trace is left: not in a dump of the whole database, not in any stored file. Seals verify and the
numbers are the same."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cases.clock import db_now, pretend_now
from cases.errors import CountersignError
from cases.models import CaseEvent, ErasureReceipt
from cases.models.people import system_actor
from cases.services import erasure, lifecycle, satisfaction, seal_checks
from cases.services.subjects import Subject
from cases.vocabulary import Verdict
from feedback.kinds import Kind
from feedback.labels import Label
from feedback.metrics import rollups
from feedback.models import MetricDay, MetricHour, WeeklyExport
from feedback.services import exports, reviews, weekly_downloads
from feedback.services.weekly import export_due
from feedback.submission import Submission
from queues.models import Claim
from queues.services import claims, consults
from tests.callers import Caller
from tests.cases.erasing import EMAIL, PERSON, PHONE, REFERENCE, WORDS, erase, held_texts, traces_of
from tests.cases.sealed import audit_key, seal_all
from tests.feedback.exporting import folder, label, made
from tests.threads import in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ("audit_key", "folder")  # fixtures

ALL = (*WORDS, REFERENCE, EMAIL, PHONE, "token-of-Wombatzeug")
A_WEEK = timedelta(days=8)


def live(world) -> None:
    """The person's case meets every writer of text there is, and leaves the house in files."""
    body = {"domain": "billing"} | PERSON
    sent = Caller(world.service, world.tenant).post("cases/", body, Idempotency_Key="intake-1")
    assert sent.status_code == 201, sent.content
    case = world.tenant.cases.get()
    entry = claims.claim(case, world.reviewer)
    consults.ask(case.pk, world.reviewer, entry.generation, colleague=world.colleague, question="Fossagrund?")
    consults.answer(case.pk, world.colleague, text="Pangolinnotiz")
    entry = claims.claim(case, world.reviewer)
    said = Submission(
        Verdict.EDIT,
        final_answer=f"Kakapoantwort for {EMAIL}",
        notes="Pangolinnotiz",
        policy_reason="Fossagrund",
        reason_code="wrong_fact",
        no_evidence_applies=True,
    )
    reviews.keep_text(case.pk, said, actor=world.colleague)
    review = reviews.submit(case.pk, said, actor=world.reviewer, generation=entry.generation)
    satisfaction.report(case.pk, score=2, comment="Axolotlfrage", actor=world.service)
    label(review, Label.MODEL_ERROR)


def numbers() -> list[tuple]:
    while rollups.refresh():
        pass
    columns = {
        kept: [field.name for field in kept._meta.concrete_fields if field.name != "id"]
        for kept in (MetricHour, MetricDay)
    }
    return sorted(str(row) for kept, names in columns.items() for row in kept.objects.values_list(*names))


@pytest.mark.usefixtures("audit_key")
def test_no_trace_of_the_person_is_left_and_seals_and_numbers_stand(folder):
    world = make_world(export_customer="keep")
    live(world)
    with pretend_now(db_now() + A_WEEK):
        data = made(world, Kind.GOLDEN_EVALS)
        (week,) = export_due(world.tenant)
        exports.download(data, actor=world.supervisor).close()
        weekly_downloads.download(week, "overrides.csv", actor=world.compliance).close()
        seal_all()
        before = numbers()
        for word in ALL:  # The search finds each of them now, or it would find nothing afterwards either.
            assert traces_of(word), word
        receipt = erase(world)
        assert traces_of(*ALL) == []
        seal_all()
        assert seal_checks.verify().findings == []
        assert numbers() == before
        assert [row["export"] for row in receipt.to_act_on] == [data.wire_id, week.wire_id]
        assert {row["by"] for row in receipt.to_act_on} == {world.supervisor.username, world.compliance.username}
        manifest = weekly_downloads.download(
            WeeklyExport.objects.get(pk=week.pk), "manifest.json", actor=world.compliance
        ).read()
        assert b'"erased": 1' in manifest
        again = made(world, Kind.GOLDEN_EVALS)
        assert again.rows_written == 0


def test_by_address_everything_goes_too(folder):
    world = make_world()
    live(world)
    with pretend_now(db_now() + A_WEEK):
        call_command("erase_customer", tenant="acme", email=EMAIL, reason="asked by letter")
    assert traces_of(*ALL) == []


def test_the_commands_dry_run_says_what_is_in_the_way_and_erases_nothing(folder, capsys):
    world = make_world()
    case = world.submit(**PERSON)
    call_command("erase_customer", tenant="acme", reference=REFERENCE, dry_run=True)
    said = capsys.readouterr().out
    assert "cases: 1" in said and "1 open cases; --close" in said
    with pytest.raises(CommandError, match="open"):
        call_command("erase_customer", tenant="acme", reference=REFERENCE, reason="r")
    assert held_texts(case) == 2 and not ErasureReceipt.objects.exists()


def test_a_reviewer_who_submits_while_it_is_erased_either_comes_first_or_leaves_no_text(folder):
    world = make_world()
    outcomes = set()
    for _ in range(8):
        case = world.submit(**PERSON)
        entry = claims.claim(case, world.reviewer)
        said = Submission(Verdict.REJECT, notes="Pangolinnotiz", reason_code="wrong_fact", no_evidence_applies=True)

        def submit(case=case, entry=entry, said=said):
            try:
                return reviews.submit(case.pk, said, actor=world.reviewer, generation=entry.generation)
            finally:
                reviews.keep_text(case.pk, said, actor=world.reviewer)

        review, receipt = in_parallel([submit, lambda: erase(world, actor=system_actor(), close=True)])
        if isinstance(receipt, Exception):
            # The decision came first: it can still be undone, and nothing is erased yet.
            assert isinstance(receipt, erasure.InTheWay), receipt
            with pretend_now(db_now() + timedelta(minutes=1)):
                erase(world)
        else:
            assert isinstance(review, CountersignError), review
        outcomes.add(type(receipt).__name__)
        assert held_texts(case) == 0
        Claim.objects.filter(ended_at=None).update(ended_at=db_now(), end="closed")
    assert traces_of("Pangolinnotiz") == []


def test_what_is_being_written_when_the_erasure_commits_is_emptied(folder):
    """Both orders of one insert and the erasure, held open by hand."""
    world = make_world()
    case = world.submit(**PERSON)
    lifecycle.withdraw(case.pk, actor=world.service)
    said = Submission(Verdict.EDIT, final_answer="Kakapoantwort")
    written, go_on = threading.Event(), threading.Event()

    def writer():
        from django.db import transaction

        with transaction.atomic():
            reviews.keep_text(case.pk, said, actor=world.reviewer)
            written.set()
            assert go_on.wait(20)

    def eraser():
        assert written.wait(20)
        threading.Timer(0.5, go_on.set).start()  # The erasure waits for the writer by then, or comes after it.
        return erase(world)

    assert not [one for one in in_parallel([writer, eraser]) if isinstance(one, Exception)]
    assert held_texts(case) == 0
    reviews.keep_text(case.pk, said, actor=world.colleague)
    assert traces_of("Kakapoantwort") == []


def test_two_erasures_at_once_take_turns(folder):
    world = make_world()
    case = world.submit(**PERSON)
    lifecycle.withdraw(case.pk, actor=world.service)
    receipts = in_parallel([lambda: erase(world)] * 4)
    assert sorted(receipt.counts.get("cases", 0) for receipt in receipts) == [0, 0, 0, 1]
    assert case.events.filter(kind=CaseEvent.Kind.ERASED).count() == 1


def test_a_subject_of_thousands_is_nobodys(folder, monkeypatch):
    from cases.services import subjects

    world = make_world()
    monkeypatch.setattr(subjects, "MOST_CASES", 1)
    world.submit(**PERSON)
    world.submit(**PERSON)
    with pytest.raises(subjects.SubjectUnclear):
        erasure.preview(Subject(world.tenant, reference=REFERENCE), actor=world.compliance)
    assert connection.ensure_connection() is None
