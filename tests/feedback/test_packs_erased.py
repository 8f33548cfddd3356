"""An erasure takes the evidence packs that tell of the customer's cases along, made or being made, and says so."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.services import erasure
from cases.services.subjects import Subject
from feedback.models import EvidencePack
from feedback.services import evidence_packs, evidence_runs
from feedback.services.export_files import storage
from tests.cases.erasing import EMAIL, PERSON, REFERENCE, erase, traces_of
from tests.cases.sealed import audit_key
from tests.feedback.corrections import override
from tests.feedback.exporting import folder
from tests.threads import in_parallel
from tests.worlds import World, make_world

__all__ = ["audit_key", "folder"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_key", "folder")]
LEFT = ("Quetzalwort", "Axolotlfrage", "Tarsierbeleg", REFERENCE, EMAIL)


@pytest.fixture
def world() -> World:
    """One decided case of the person, whose texts packs may hold unmasked, and one of somebody else."""
    world = make_world("acme", export_customer="keep")
    override(world, case=PERSON)
    return world


def asked(world: World, *, begin: timedelta = timedelta(days=1), end: timedelta = timedelta()) -> EvidencePack:
    now = db_now()
    return evidence_packs.request(world.tenant, since=now - begin, until=now - end, actor=world.compliance)


def made(world: World, **window: timedelta) -> EvidencePack:
    pack = evidence_runs.run(asked(world, **window).pk)
    assert pack.state == "ready", pack.error
    return pack


def state_of(pack: EvidencePack) -> str:
    return EvidencePack.objects.get(pk=pack.pk).state


def test_packs_that_tell_of_the_person_go_and_the_receipt_says_so_and_who_fetched_them(world, folder):
    with pretend_now(db_now() + timedelta(minutes=10)):
        pack = made(world)
        earlier = made(world, begin=timedelta(days=9), end=timedelta(days=8))
        other = make_world("other")
        theirs = made(other)
        assert (pack.sampled, earlier.sampled) == ([world.tenant.cases.get().pk], [])
        evidence_packs.download(pack, actor=world.compliance).close()
        preview = erasure.preview(Subject(world.tenant, reference=REFERENCE), actor=world.compliance)
        assert preview.counts["evidence_packs"] == 1
        assert state_of(pack) == "ready", "a preview takes nothing away"
        receipt = erase(world)
        assert receipt.counts["evidence_packs"] == 1
        assert [(row["what"], row["export"], row["by"]) for row in receipt.to_act_on] == [
            ("downloaded", pack.wire_id, world.compliance.username)
        ]
        assert (state_of(pack), state_of(earlier), state_of(theirs)) == ("expired", "ready", "ready")
        assert not storage().exists(pack.file_key)
        assert traces_of(*LEFT) == []
        again = made(world)
        assert again.sampled == [world.tenant.cases.get().pk], "the case is told of, its texts are not"
        assert traces_of(*LEFT) == []
        assert "evidence_packs" not in erase(world).counts


def test_a_pack_of_which_it_is_not_known_whom_it_tells_of_goes_too(world):
    with pretend_now(db_now() + timedelta(minutes=10)):
        pack = made(world)
        EvidencePack.objects.filter(pk=pack.pk).update(sampled=None)
        erase(world)
        assert state_of(pack) == "expired"


def test_a_pack_that_is_being_made_is_begun_anew_without_the_texts(world, folder):
    """The erasure comes when the sample cases are written and the pack is not yet whole."""
    with pretend_now(db_now() + timedelta(minutes=10)):
        pack, later = asked(world), db_now()
        erased: list[object] = []

        def erase_apart() -> None:
            with pretend_now(later):
                erased.append(erase(world))
            connection.close()

        def meanwhile(running: EvidencePack) -> None:
            if running.sections_done == 10 and not erased:
                assert any("Quetzalwort" in path.read_text() for path in folder.rglob("sample_cases.jsonl"))
                thread = threading.Thread(target=erase_apart)
                thread.start()
                thread.join()

        first = evidence_runs.run(pack.pk, progress=meanwhile)
        assert (first.state, first.begun_anew, first.file_key) == ("queued", 1, "")
        assert traces_of(*LEFT) == [], "nor in what the worker had written"
        assert evidence_runs.sweep() == 1
        assert state_of(pack) == "ready"
        assert traces_of(*LEFT) == []
        assert CaseEvent.objects.filter(subject=pack.wire_id, kind="audit.exported").count() == 1


def test_what_a_lost_worker_wrote_is_thrown_away(world, folder):
    with pretend_now(db_now() + timedelta(minutes=10)):
        pack = asked(world)
        for _ in range(10):
            evidence_runs.run(pack.pk, seconds=0)
        assert traces_of("Quetzalwort"), "ten sections are written, and handed on"
        erase(world)
        evidence_runs.sweep()
        assert state_of(pack) == "ready"
        assert traces_of(*LEFT) == []
        assert list((folder / "unfinished").iterdir()) == []


def test_a_pack_that_is_asked_for_during_an_erasure_waits_for_its_end(world):
    with pretend_now(db_now() + timedelta(minutes=10)):
        at = db_now()

    def ask_and_make():
        with pretend_now(at):
            return made(world)

    def go():
        with pretend_now(at):
            return erase(world)

    outcomes = in_parallel([go, ask_and_make, ask_and_make])
    assert not [one for one in outcomes if isinstance(one, AssertionError) and "ready" not in str(one)], outcomes
    with pretend_now(at):
        evidence_runs.sweep()
    assert traces_of(*LEFT) == []
