"""The report on maturity: its figures, its advice in words, its page and its CSV."""

import csv
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from cases.clock import pretend_now
from feedback.advisor.intervals import Sums
from feedback.maturity import Stage, Standing, recommendation, stage_of
from feedback.metrics import rollups
from feedback.services import advising
from feedback.services.maturing import report_of
from tests.feedback.decided import decide_all, decided, opened
from tests.worlds import FAIR, SURE, World, make_world

LAST, NOW = datetime(2027, 2, 10, 12, tzinfo=UTC), datetime(2027, 5, 20, 12, tzinfo=UTC)


def standing(*, judged=0, overridden=0, audits=(0, 0), automatic=0, alpha=None, twofold=0, quarter=NOW) -> Standing:
    n, errors = audits
    seen = Sums(n, n, n, errors, errors, errors)
    return Standing("billing", quarter, 500, 500, automatic, judged, overridden, seen, alpha, twofold)


@pytest.mark.parametrize(
    ("one", "stage", "words"),
    [
        (standing(judged=29, overridden=9), Stage.UNKNOWN, "Decisions: 29, samples: 0. Wait for 30"),
        (standing(audits=(60, 9), automatic=300), Stage.BACK, "beyond the tolerated 2.0 %: raise the threshold"),
        (standing(judged=90, overridden=9, alpha=0.4, twofold=50), Stage.AGREE, "alpha 0.40 on 50 cases"),
        (standing(judged=90, overridden=9, alpha=0.4, twofold=9), Stage.PEOPLE, "People change 10.0 % of the drafts"),
        (standing(judged=90, overridden=50), Stage.MEND, "mend the AI"),
        (standing(audits=(300, 0), automatic=900), Stage.MORE, "0.0 % of what passes by itself is wrong"),
        (standing(judged=60, audits=(40, 0), automatic=900), Stage.WATCH, "Sample more of it"),
        (standing(judged=60, automatic=900), Stage.WATCH, "Nobody has looked at what passes by itself"),
        (standing(judged=90), Stage.TRY, "nothing passes by itself"),
    ],
)
def test_each_standing_has_one_advice_with_its_figures(one, stage, words):
    assert stage_of(one, 0.02) == stage
    assert words in recommendation(one, 0.02)


def test_the_advice_says_how_overrides_moved():
    before, now = standing(judged=100, overridden=40, quarter=LAST), standing(judged=100, overridden=10)
    assert recommendation(now, 0.02, before).endswith("Overrides fell since 2027 Q1, from 40.0 %.")
    assert "Overrides" not in recommendation(now, 0.02, standing(judged=100, overridden=12, quarter=LAST))


@pytest.fixture
def world(db) -> World:
    """A quarter with many overrides, one with few, and automatic approvals of which half are sampled."""
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.5}, undo_seconds=0)
    for at, wrong in ((LAST, 20), (NOW - timedelta(hours=3), 2)):
        with pretend_now(at + timedelta(hours=1)):
            decided(world, [(FAIR, number >= wrong) for number in range(40)], at=at)
    with pretend_now(NOW - timedelta(hours=2)):
        drafts = [draft for draft in opened(world, [SURE] * 40, at=NOW - timedelta(hours=3)) if draft.is_sampled]
        decide_all(world, drafts, [number > 0 for number in range(len(drafts))])
    return world


def test_the_report_weighs_samples_as_the_advisor_does_and_is_shown_to_those_who_may(
    world, django_assert_max_num_queries
):
    with pretend_now(NOW):
        rollups.rebuild(world.tenant)
        (report,) = report_of(world.tenant)
        groups, _, _ = advising.read_groups(world.policy, NOW - timedelta(days=5), NOW)
    before, now = report.standings
    assert [one.name for one in report.standings] == ["2027 Q1", "2027 Q2"]
    assert (before.judged, before.overridden, before.audits.n) == (40, 20, 0)
    (sampled,) = [group.seen for group in groups if group.was_automatic]
    assert now.audits == sampled
    assert report.judged_by == now
    assert report.tolerated == world.policy.tolerated_error

    def browser(user) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    page, file = reverse("admin:maturity"), reverse("admin:maturity-csv")
    client = browser(world.supervisor)
    with pretend_now(NOW):
        client.get(page)
        with django_assert_max_num_queries(22):
            text = client.get(page).content.decode()
        for words in ("billing: ", "2027 Q1", "50.0 %", "of what passes by itself is wrong"):
            assert words in text, words
        answer = client.get(file, {"tenant": "acme"})
        assert answer["Content-Disposition"].startswith('attachment; filename="maturity-acme-')
        rows = list(csv.DictReader(answer.content.decode().splitlines()))
        assert [(row["domain"], row["quarter"], row["override_rate"]) for row in rows] == [
            ("billing", "2027 Q1", "0.500000"),
            ("billing", "2027 Q2", rows[1]["override_rate"]),
        ]
        assert rows[0]["stage"] == Stage.MEND
        outsider = browser(make_world("other").supervisor)
        assert "billing" not in outsider.get(page, {"tenant": "acme"}).content.decode()
        assert outsider.get(file, {"tenant": "acme"}).status_code == 404
        assert {browser(world.reviewer).get(address).status_code for address in (page, file)} == {403}
