"""The quality of a route: past reviews of one domain and release, weighted, with a prior; and triage hears of it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import Release
from feedback.advisor.intervals import Sums
from feedback.facts import route_quality
from feedback.metrics import rollups
from feedback.models import Review, RouteQuality
from feedback.route_quality import PRIOR, WINDOW, quality
from feedback.services.route_quality import refresh
from tests.feedback.decided import decided
from tests.worlds import FAIR, SURE, World, make_world

NEW = {"model": "m", "version": "2"}


def seen(right: int, wrong: int) -> Sums:
    n = right + wrong
    return Sums(n, n, n, wrong, wrong, wrong)


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        (Sums(), 0.9),
        (seen(0, 10), 0.6),
        (seen(20, 0), 0.95),
        (seen(90, 10), 0.9),
        (seen(500, 500), 518 / 1020),
        # Ten sampled of a hundred that passed, all right, and ten that went to people, all wrong: 10 of 110 are wrong.
        (Sums(20, 110, 1010, 10, 10, 10), (18 + (110**2 / 1010) * (100 / 110)) / (20 + 110**2 / 1010)),
    ],
)
def test_the_quality_is_the_mean_of_what_was_seen_and_the_prior(sums, expected):
    assert quality(sums) == pytest.approx(expected)


def test_more_rights_never_lower_it_and_more_wrongs_never_raise_it():
    for right in range(0, 60, 7):
        for wrong in range(0, 60, 7):
            now = quality(seen(right, wrong))
            assert 0 < now < 1
            assert quality(seen(right + 1, wrong)) >= now >= quality(seen(right, wrong + 1))


@pytest.fixture
def world(db) -> World:
    """Of the new release: three of four billing drafts refused, two returns accepted; half of what passed was drawn."""
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.5}, undo_seconds=0)
    decided(world, [(FAIR, False)] * 3 + [(FAIR, True)], release=NEW)
    decided(world, [(FAIR, True)] * 2, release=NEW, domain="returns")
    decided(world, [(SURE, False)] * 12 + [(SURE, True)] * 12, release={"model": "old"})
    rollups.refresh()
    refresh()
    return world


def brute(world: World, domain: str, model: str) -> Sums:
    """Counted by hand over the rows."""
    whole = Sums()
    for review in Review.objects.filter(case__domain=domain, draft__release__model=model).select_related("draft"):
        weight = 1 / review.draft.sample_share if review.draft.is_sampled else 1.0
        wrong = review.verdict != "accept"
        whole += Sums(1, weight, weight**2, wrong, weight * wrong, weight**2 * wrong)
    return whole


def test_it_is_summed_by_domain_and_release_as_by_hand(world):
    assert RouteQuality.objects.count() == 3
    for row in RouteQuality.objects.select_related("release"):
        assert row.seen == brute(world, row.domain, row.release.model)
    old = RouteQuality.objects.get(release__model="old")
    assert 0 < old.n < 24 and old.w == 2 * old.n  # The half that was drawn, each standing for two.


def test_each_intake_is_told_the_quality_of_its_own_domain_and_release(world):
    asked = [
        {"domain": "billing", "release": NEW},
        {"domain": "returns", "release": NEW},
        {"domain": "billing", "release": {"model": "m", "version": "3"}},
        {"domain": "billing", "release": None},
    ]
    with CaptureQueriesContext(connection) as queries:
        found = [one["route_quality"] for one in route_quality(world.tenant, asked)]
    assert found == pytest.approx([19 / 24, 20 / 22, PRIOR, PRIOR])
    assert len(queries) == 1


def test_a_poor_route_lets_nothing_pass_and_a_new_one_is_not_held_up(world):
    assert world.submit(signals=SURE, release={"model": "unknown"}).state == "auto_approved"
    assert world.submit(signals=SURE, release=NEW, domain="returns").state == "auto_approved"
    poor = world.submit(signals=SURE, release=NEW)
    assert poor.state == "pending_review"
    assert "quality_failure" in poor.current_draft.triggers
    assert poor.current_draft.conditions == ["This route has been poor"]


def test_another_tenants_reviews_say_nothing(world):
    other = make_world("zeta", rules={"new_release_reviews": 0})
    assert route_quality(other.tenant, [{"domain": "billing", "release": NEW}]) == [{"route_quality": PRIOR}]
    assert other.submit(signals=SURE, release=NEW).state == "auto_approved"


def test_reviews_that_are_too_old_say_nothing_any_more(world):
    with pretend_now(db_now() + WINDOW + timedelta(days=1)):
        assert refresh() == 0
    assert not RouteQuality.objects.exists()
    assert Release.objects.exists()
    assert refresh() == 3


def test_counting_twice_changes_nothing(world):
    before = list(RouteQuality.objects.order_by("pk").values_list("pk", "n", "w", "w2", "errors", "we", "w2e"))
    refresh()
    assert before == list(RouteQuality.objects.order_by("pk").values_list("pk", "n", "w", "w2", "errors", "we", "w2e"))
