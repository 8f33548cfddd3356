"""The unfinished review over REST: saved while it is written, and never lost with the claim."""

import pytest

from cases.models import Case
from feedback.models import ReviewDraft
from queues.services import claims
from tests.callers import Caller
from tests.threads import failures, in_parallel
from tests.worlds import make_world

NOTES = {"notes": "The account was used after all, see", "incorrect_evidence": ["policy_7"]}


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def reviewer(world):
    return Caller(world.reviewer, world.tenant)


@pytest.fixture
def held(world):
    """A case that the reviewer holds."""
    world.submit()
    return world.claim()


def path(case):
    return f"cases/{case.wire_id}/review-draft/"


def save(caller, entry, **fields):
    return caller.put(path(entry.case), {"generation": entry.generation} | fields)


def test_the_holder_saves_and_reads_what_they_wrote(held, reviewer):
    saved = save(reviewer, held, **NOTES)
    assert saved.status_code == 200
    assert saved.json() == reviewer.get(path(held.case)).json()
    written = {name: value for name, value in saved.json().items() if value and name not in {"case_id", "saved_at"}}
    assert written == NOTES


def test_the_last_save_counts_whole(held, reviewer):
    save(reviewer, held, verdict="edit", final_answer="Half an answer", **NOTES)
    save(reviewer, held, final_answer="A whole answer")
    kept = reviewer.get(path(held.case)).json()
    assert (kept["final_answer"], kept["notes"], kept["verdict"], kept["incorrect_evidence"]) == (
        "A whole answer",
        "",
        None,
        [],
    )
    assert ReviewDraft.objects.count() == 1


def test_saving_decides_nothing_and_keeps_the_claim(held, reviewer):
    save(reviewer, held, verdict="reject", notes="no")
    assert Case.objects.get().state == "pending_review"
    assert claims.hold(held.case_id, held.claimed_by, held.generation)


def test_a_lost_claim_is_412_and_the_text_is_kept(world, held, reviewer):
    claims.release(held.case_id, world.reviewer, held.generation)
    world.claim(world.colleague)
    answer = save(reviewer, held, **NOTES)
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_generation")
    assert reviewer.get(path(held.case)).json()["notes"] == NOTES["notes"]


def test_the_text_is_still_there_after_the_case_was_decided_by_somebody_else(world, held, reviewer):
    claims.release(held.case_id, world.reviewer, held.generation)
    entry = world.claim(world.colleague)
    decided = Caller(world.colleague, world.tenant).post(
        f"cases/{held.case.wire_id}/reviews/", {"verdict": "accept", "generation": entry.generation}
    )
    assert decided.status_code == 201
    assert save(reviewer, held, **NOTES).status_code == 412
    assert reviewer.get(path(held.case)).json()["notes"] == NOTES["notes"]


def test_a_claim_that_was_never_yours_keeps_nothing(world, held):
    colleague = Caller(world.colleague, world.tenant)
    for generation in (held.generation, held.generation + 1000):
        answer = colleague.put(path(held.case), {"generation": generation, **NOTES})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_claimed")
    assert not ReviewDraft.objects.exists()


def test_nobody_reads_what_somebody_else_is_writing(world, held, reviewer):
    save(reviewer, held, **NOTES)
    assert Caller(world.colleague, world.tenant).get(path(held.case)).status_code == 404


def test_nothing_written_is_a_404_and_so_is_a_review_handed_in(held, reviewer):
    assert reviewer.get(path(held.case)).status_code == 404
    save(reviewer, held, **NOTES)
    reviewer.post(f"cases/{held.case.wire_id}/reviews/", {"verdict": "accept", "generation": held.generation})
    assert reviewer.get(path(held.case)).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/generation"),
        ({"generation": "1"}, "/generation"),
        ({"generation": 1, "verdict": "maybe"}, "/verdict"),
        ({"generation": 1, "notes": 7}, "/notes"),
        ({"generation": 1, "more": "x"}, "/more"),
    ],
)
def test_a_bad_draft_is_refused(held, reviewer, body, pointer):
    answer = reviewer.put(path(held.case), body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_to_another_tenant_the_case_does_not_exist(world, held, reviewer):
    save(reviewer, held, **NOTES)
    other = make_world("other")
    outsider = Caller(other.reviewer, other.tenant)
    unknown = path(Case())
    for theirs, nobodys in (
        (outsider.get(path(held.case)), outsider.get(unknown)),
        (save(outsider, held, **NOTES), outsider.put(unknown, {"generation": held.generation})),
    ):
        assert theirs.status_code == nobodys.status_code == 404
        assert {**theirs.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}


@pytest.mark.django_db(transaction=True)
def test_eight_saves_at_once_leave_one_text():
    world = make_world()
    world.submit()
    entry = world.claim()
    caller = Caller(world.reviewer, world.tenant)
    texts = [f"version {i}" for i in range(8)]
    answers = in_parallel([lambda text=text: save(caller, entry, notes=text) for text in texts])
    assert failures(answers) == []
    assert {answer.status_code for answer in answers} == {200}
    assert ReviewDraft.objects.get().content.body["notes"] in texts


@pytest.mark.django_db(transaction=True)
def test_eight_late_saves_at_once_leave_one_text_too():
    world = make_world()
    world.submit()
    entry = world.claim()
    claims.release(entry.case_id, world.reviewer, entry.generation)
    caller = Caller(world.reviewer, world.tenant)
    answers = in_parallel([lambda i=i: save(caller, entry, notes=f"version {i}") for i in range(8)])
    assert failures(answers) == []
    assert {answer.status_code for answer in answers} == {412}
    assert ReviewDraft.objects.count() == 1
