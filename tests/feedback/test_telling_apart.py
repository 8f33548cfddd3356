"""Nobody tells a challenge from a real case by what there is to see: a classifier over all of it does no better than
chance. On a thousand cases, with its figures: run this file with ``TELL_APART_EACH=500`` and ``-s``."""

import os
import random

import pytest

from tests.approvals.desks import make_desk
from tests.feedback.telling_apart import Told, build, leads, look, tell_apart

EACH = int(os.environ.get("TELL_APART_EACH", "16"))  # so many challenges, and as many real cases
SURE = 3.29  # so many standard errors: one run in a thousand is wrong by chance alone


@pytest.mark.django_db
@pytest.mark.timeout(60 + 12 * EACH)
def test_a_classifier_over_everything_visible_finds_challenges_no_better_than_chance(settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    dice, desk = random.Random(9), make_desk()
    world = desk.world
    people = [world.reviewer, world.colleague, world.person("cora", "reviewer", reviews=True)]
    groups = build(world, each=EACH, golds=EACH, people=people, dice=dice)
    rows = look(world, groups, people=people, signer=desk.cara)
    truth = [group != str(key) for key, group in groups.items()]
    assert sum(truth) == EACH and len(rows) == 2 * EACH
    told = tell_apart(rows, truth, list(groups.values()), random.Random(1))
    print(f"{len(rows)} cases: AUC {told.auc:.3f}, 95 % {told.interval()}")
    assert told.is_chance(SURE), (told, leads(rows, truth))
    # The control: the same cases with one thing that leaks, however little, are told apart.
    leaking = [row | {"leak": dice.gauss(5 * is_challenge, 1)} for row, is_challenge in zip(rows, truth, strict=True)]
    assert not tell_apart(leaking, truth, list(groups.values()), random.Random(1)).is_chance(SURE)


def test_an_interval_of_pure_noise_holds_one_half_and_that_of_a_difference_does_not():
    dice = random.Random(3)
    truth = [bool(n % 2) for n in range(200)]
    groups = [str(n) for n in range(200)]
    noise = [{str(c): dice.random() for c in range(20)} for _ in truth]
    assert tell_apart(noise, truth, groups, dice).is_chance(SURE)
    different = [row | {"x": dice.random() + is_one} for row, is_one in zip(noise, truth, strict=True)]
    told = tell_apart(different, truth, groups, dice)
    assert told.auc > 0.9 and isinstance(told, Told) and not told.is_chance(SURE)
