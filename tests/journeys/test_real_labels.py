"""Real model output, reviewed by a script that follows its published labels: what is labelled, exported and trainable
is what those labels imply.

A bounded part of each set; ``REAL_LINES=1000`` takes all of it. ``REAL_DATA`` names another folder.
"""

import json
import os
from collections import Counter
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.replay import InProcess
from cases.vocabulary import Verdict
from feedback.kinds import Kind
from feedback.label_files import read_labels
from feedback.labels import Label, feeds
from feedback.models import Review
from feedback.services.label_import import apply_import, plan_import
from feedback.services.weekly import export_due
from feedback.submission import Submission
from tests.feedback.corrections import decide_case
from tests.worlds import World, make_world

DATA = Path(os.environ.get("REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
LINES = int(os.environ.get("REAL_LINES", "16"))
SETS = ("actions_airline", "answers_begin", "answers_halueval")
WEEK = timedelta(days=7)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the folder of real input is not here: {DATA.name}"),
]


@pytest.fixture
def folder(settings, tmp_path):
    backend = {"BACKEND": "feedback.folders.ExportFolder", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"exports": backend}
    return tmp_path


def lines(name: str) -> list[dict[str, Any]]:
    with (DATA / f"{name}.jsonl").open() as file:
        return [json.loads(line) for line in islice(file, LINES)]


def decided(name: str, sent: dict[str, Any], truth: dict[str, Any]) -> Submission:
    """What somebody decides who knows the truth."""
    if truth["correct"]:
        return Submission(Verdict.ACCEPT)
    if name == "answers_begin":  # It had the passage, and did not keep to it.
        return Submission(Verdict.EDIT, final_answer=sent["evidence"][0]["quote"], reason_code="unsupported")
    if name == "answers_halueval":  # It was given nothing to rest on.
        answer = sent["model_draft"]
        for span in truth["wrong_spans"]:
            answer = answer.replace(span, "")
        texts = {"missing_evidence": "a source for what is wrong here", "reason_code": "wrong_fact"}
        return Submission(Verdict.EDIT, final_answer=f"Corrected. {answer}", **texts)
    return Submission(Verdict.REJECT, policy_reason="not what the policy expects here", reason_code="wrong_action")


def label_of(name: str, number: int) -> Label | None:
    """What the labeller says of the wrong answer ``number``; every fourth is a passing matter or is left open."""
    passing = (Label.TEMPORARY_POLICY, Label.ONE_OFF_CONTEXT, None)
    if number % 4 == 3:
        return passing[number // 4 % 3]
    return Label.BAD_RETRIEVAL if name == "answers_halueval" else Label.MODEL_ERROR


def follow(world: World, name: str) -> Counter:
    """Take in the set, decide every case and label the wrong ones through a file; what the labels imply, counted."""
    with (DATA / f"{name}.labels.jsonl").open() as file:
        truths = {truth["external_id"]: truth for truth in map(json.loads, file)}
    door, implied, labelled = InProcess(world.tenant, world.service), Counter(), []
    for sent in lines(name):
        door.send(json.dumps(sent).encode())
        case = Case.objects.get(tenant=world.tenant, external_id=sent["external_id"])
        truth = truths[sent["external_id"]]
        Case.objects.filter(pk=case.pk).update(open_actions=0)  # What becomes of the actions is another story.
        decide_case(world, case, decided(name, sent, truth))
        if not truth["correct"]:
            label = label_of(name, implied.total())
            implied[label] += 1
            labelled.append({"external_id": sent["external_id"], "label": label})
    if labelled:
        reading = read_labels("\n".join(map(json.dumps, labelled)).encode())
        plan = plan_import(reading, tenant=world.tenant, actor=world.supervisor)
        assert (plan.complaints, plan.unlabelled) == ([], implied[None])
        apply_import(plan, actor=world.supervisor)
    return implied


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SETS)
def test_labels_exports_and_what_is_trainable_are_what_the_truth_implies(folder, name):
    world = make_world(rules={"new_release_reviews": 0, "auto_approve_above": 1.0, "new_release_threshold": 1.0})
    began = db_now() - 2 * WEEK
    challenge = world.submit(external_id="a-challenge")
    with pretend_now(began):
        decide_case(world, challenge, Submission(Verdict.REJECT, notes="no"))
        Case.objects.filter(pk=challenge.pk).update(purpose="challenge")
    with pretend_now(began):
        # Decisions of one instant are final by the time that their labels come in.
        type(world.tenant).objects.filter(pk=world.tenant.pk).update(undo_seconds=0)
        world.tenant.refresh_from_db()
        implied = follow(world, name)
    assert implied.total() > 0

    corrections = Review.objects.corrections().with_standing_label()
    assert Counter(corrections.values_list("standing_label", flat=True)) == implied
    with pretend_now(began + WEEK + timedelta(hours=2)):
        export_due(world.tenant)
    rows = [json.loads(line) for path in folder.glob("acme/*.jsonl") for line in path.open()]
    assert Counter(row["label"] for row in rows) == implied
    assert "a-challenge" not in {row["external_id"] for row in rows}

    has_policy = name == "actions_airline"
    for kind in Kind:
        if kind == Kind.OVERRIDES:
            continue
        expected = sum(count for label, count in implied.items() if kind in feeds(label, policy_reason=has_policy))
        assert sum(kind in row["feeds"] for row in rows) == expected, kind
    assert not any(row["is_trainable"] for row in rows if row["label"] in (None, "temporary_policy", "one_off_context"))
    assert sum(row["is_trainable"] for row in rows) == implied[Label.MODEL_ERROR] + implied[Label.BAD_RETRIEVAL]
