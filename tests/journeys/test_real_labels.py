"""Real model output, reviewed by a script that follows its published labels: every dataset holds what these imply."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.replay import InProcess
from cases.vocabulary import Verdict
from feedback.kinds import Kind
from feedback.label_files import read_labels
from feedback.models import Review
from feedback.services import reviews
from feedback.services.label_import import apply_import, plan_import
from feedback.services.weekly import export_due
from feedback.submission import Submission
from tests import real
from tests.feedback.corrections import decide_case
from tests.feedback.exporting import documents, folder, made  # noqa: F401
from tests.journeys.real_reviews import PASSING, Implied, judged
from tests.worlds import World, make_world

LINES = 16  # of each set, by default
WEEK = timedelta(days=7)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    real.needed,
]


def follow(world: World, name: str) -> Implied:
    """Take in the set, decide every case and label the wrong ones through a file; what that implies."""
    truths = real.truths(name)
    door, implied, labelled = InProcess(world.tenant, world.service), Implied(), []
    for sent in real.records(name, LINES):
        door.send(json.dumps(sent).encode())
        case = Case.objects.get(tenant=world.tenant, external_id=sent["external_id"])
        Case.objects.filter(pk=case.pk).update(open_actions=0)  # What becomes of the actions is another story.
        truth = truths[sent["external_id"]]
        done = judged(name, sent, truth, len(implied.labels))
        decide_case(world, case, done.submission)
        if not truth["correct"]:
            implied.add(sent, done)
            labelled.append({"external_id": sent["external_id"], "label": done.label})
    if labelled:
        reading = read_labels("\n".join(map(json.dumps, labelled)).encode())
        plan = plan_import(reading, tenant=world.tenant, actor=world.supervisor)
        assert (plan.complaints, plan.unlabelled) == ([], implied.labels.count(None))
        apply_import(plan, actor=world.supervisor)
    return implied


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", real.RECORDS)
def test_every_dataset_holds_what_the_truth_implies_and_nothing_that_passes(folder, name):  # noqa: F811
    world = make_world(
        rules={"new_release_reviews": 0, "auto_approve_above": 1.0, "new_release_threshold": 1.0},
        export_customer="keep",
    )
    began = db_now() - 2 * WEEK
    with pretend_now(began):
        challenge = decoy(world, "a-challenge")
        Case.objects.filter(pk=challenge.pk).update(purpose="challenge")
        undone = decoy(world, "undone")
        reviews.undo(undone.pk, actor=world.reviewer)
        # Decisions of one instant are final by the time that their labels come in.
        type(world.tenant).objects.filter(pk=world.tenant.pk).update(undo_seconds=0)
        world.tenant.refresh_from_db()
        implied = follow(world, name)
    assert implied.labels, "some are wrong"

    corrections = Review.objects.corrections().with_standing_label()
    assert Counter(corrections.values_list("standing_label", flat=True)) == Counter(implied.labels)
    for kind in Kind:
        export = made(world, kind)
        found, counts = documents(export), export.version.document["counts"]
        if kind == Kind.OVERRIDES:
            assert Counter(row["label"] for row in found) == Counter(implied.labels)
        else:
            assert (counts["examples"], counts["duplicates"]) == implied.count(kind), kind
            assert {implied.by_case[row["external_id"]] for row in found}.isdisjoint(PASSING), kind
        assert len(found) == export.rows_written == counts["lines"]
        assert {row["external_id"] for row in found} <= set(implied.by_case), "no challenge, nothing undone"

    with pretend_now(began + WEEK + timedelta(hours=2)):
        export_due(world.tenant)
    rows = [json.loads(line) for path in (folder / "stored").glob("acme/overrides-*.jsonl") for line in path.open()]
    assert {row["external_id"]: row["label"] for row in rows} == implied.by_case
    assert all(row["is_trainable"] == (row["label"] not in PASSING) for row in rows)


def decoy(world: World, external_id: str) -> Case:
    """A decided case that no file may hold."""
    case = world.submit(external_id=external_id)
    decide_case(world, case, Submission(Verdict.EDIT, final_answer="A decoy.", notes="no"))
    return case
