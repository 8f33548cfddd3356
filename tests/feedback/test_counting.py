"""Which reviews count: said once in SQL and once to the ORM, and the same."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.services import lifecycle
from feedback.counting import COUNTABLE
from feedback.metrics import rollups
from feedback.models import Review
from feedback.services import reviews
from tests.feedback.corrections import AN_HOUR, override, override_now
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

BY_SQL = f"""
    SELECT r.id FROM feedback_review r JOIN cases_case c ON c.id = r.case_id JOIN cases_tenant t ON t.id = r.tenant_id
    WHERE {COUNTABLE}
"""


@pytest.fixture
def world() -> World:
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def counted() -> set[UUID]:
    """By both; they agree."""
    now = db_now()
    with connection.cursor() as cursor:
        cursor.execute(BY_SQL, {"now": now})
        by_sql = {row[0] for row in cursor.fetchall()}
    assert set(Review.objects.countable(now).values_list("pk", flat=True)) == by_sql
    return by_sql


def opens_an_action(review: Review, count: int = 1) -> None:
    Case.objects.filter(pk=review.case_id).update(open_actions=count)


def test_a_decision_counts_once_its_undo_window_is_over(world):
    review = override_now(world)
    assert counted() == set()
    with pretend_now(review.created_at + timedelta(seconds=world.tenant.undo_seconds)):
        assert counted() == {review.pk}


def test_a_decision_waits_for_the_actions_that_hang_on_it(world):
    review = override(world)
    opens_an_action(review)
    assert counted() == set()
    opens_an_action(review, 0)
    assert counted() == {review.pk}


def test_a_reopened_case_keeps_its_earlier_decision_whatever_is_open_now(world):
    first = override(world)
    lifecycle.reopen(first.case_id, actor=world.supervisor, reason="appeal")
    opens_an_action(first)
    assert counted() == {first.pk}


def test_what_was_undone_withdrawn_or_never_real_does_not_count(world):
    undone, withdrawn = override(world), override(world)
    with pretend_now(undone.created_at + timedelta(seconds=1)):
        reviews.undo(undone.case_id, actor=world.reviewer)
    lifecycle.reopen(withdrawn.case_id, actor=world.supervisor, reason="appeal")
    lifecycle.withdraw(withdrawn.case_id, actor=world.supervisor, reason="settled")
    for purpose in ("challenge", "probe"):
        Case.objects.filter(pk=override(world).case_id).update(purpose=purpose)
    assert counted() == set()


def test_metrics_count_the_reviews_that_labels_and_exports_count(world):
    override(world, at=db_now() - 2 * AN_HOUR)
    opens_an_action(override(world))
    with connection.cursor() as cursor:
        rollups.refresh()
        cursor.execute("SELECT sum(handled) FROM feedback_metrichour WHERE dimension = 'all'")
        assert cursor.fetchone()[0] == len(counted()) == 1
