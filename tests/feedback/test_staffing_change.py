"""What a change of a threshold means for staffing: shown before it, kept with it."""

import pytest

from cases.vocabulary import Role
from feedback.metrics import rollups
from feedback.models import ThresholdEvidence
from feedback.services.advising import advise
from feedback.services.expected_load import expected_loads
from feedback.services.staffing_change import HOURS_A_WEEK, of_replay, of_threshold
from feedback.services.threshold_changes import apply
from feedback.services.what_if import replay
from tests.feedback.decided import decided
from tests.feedback.test_advising import RULES, outcomes
from tests.feedback.test_thresholds_page import PAGE, WHAT_IF, sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
WORDS = "What it means for staffing"


@pytest.fixture
def world() -> World:
    """A lower threshold is advised."""
    world = make_world(rules=RULES, undo_seconds=0)
    decided(world, outcomes((0.95, 10, 0), (0.75, 25, 1), (0.6, 5, 15)), external_id=None)
    return world


def test_what_passes_by_itself_is_less_for_people(world):
    rollups.refresh()
    one = advise(world.policy, 91).recommendation
    world.policy.sampling_share = 0.25  # Of what passes, so much is looked at all the same.
    ((now, then),) = of_threshold(world.policy, one).groups
    assert one.change > 100
    assert then.cases == pytest.approx(now.cases - 0.75 * one.change)
    assert now.there == then.there


def test_the_preview_shows_it_and_the_evidence_keeps_it(world):
    assert WORDS not in sign_in(world.supervisor).get(PAGE).content.decode()  # Nothing is counted yet.
    rollups.refresh()
    assert WORDS in sign_in(world.supervisor).get(PAGE).content.decode()
    one = advise(world.policy, 91).recommendation
    admin = world.person("adam", Role.TENANT_ADMIN)
    kept = apply(world.policy.pk, days=91, threshold=one.level.threshold, version=1, actor=admin, reason="As shown.")
    staffing = ThresholdEvidence.objects.get(pk=kept.pk).report["staffing"]
    assert staffing["then"]["cases"] <= staffing["now"]["cases"]
    assert staffing["now"]["people_hours"] == 2 * 168
    assert "Staffing, as it is forecast" in sign_in(admin).get(PAGE).content.decode()  # No further change is advised.
    detail = sign_in(admin).get(f"/admin/feedback/thresholdevidence/{kept.pk}/change/").content.decode()
    assert "Staffing of the week that followed" in detail


def test_a_replay_says_it_by_queue(world):
    rollups.refresh()
    text = sign_in(world.supervisor).get(WHAT_IF, {"policy": str(world.policy.pk), "auto_approve_above": "0.5"})
    assert WORDS in text.content.decode()
    found = replay(world.policy, world.policy.document() | {"auto_approve_above": 0.5, "quick_review_from": 0.4})
    (slug, before, after, _), *_ = found.load
    change = of_replay(world.policy, found)
    assert change.then.total.cases <= change.now.total.cases
    plain, same = expected_loads(world.tenant, [0.0, {slug: (after - before) / HOURS_A_WEEK}])
    assert same.total.cases == change.then.total.cases and plain.total.cases == change.now.total.cases
