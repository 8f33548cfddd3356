"""The watch over new releases, on stored cases: what is read, what is told, and by what cause."""

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import Notice, Policy, Release
from cases.models.people import system_actor
from cases.services.policies import publish
from feedback.drift.causes import Cause
from feedback.drift.findings import Finding
from feedback.metrics import rollups
from feedback.models import DriftAlert, DriftLook
from feedback.services import drifting
from tests.feedback.decided import decide_all, opened
from tests.threads import failures, in_parallel
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

ONE = {"retrieval_score": {"weight": 1.0, "use": "optional"}}
RULES = {
    "signals": ONE,
    "new_release_reviews": 0,
    "sampling_share": 1.0,
    "auto_approve_above": 0.8,
    "quick_review_from": 0.3,
}
PAST, RECENT = timedelta(days=12), timedelta(days=3)
OLD, NEW = {"model": "m", "version": "1"}, {"model": "m", "version": "2"}


@pytest.fixture
def world() -> World:
    return make_world(rules=RULES, undo_seconds=0)


def lived(world: World, release: dict, score: float, right: int, wrong: int, at: datetime, **fields) -> None:
    """Cases of ``release`` opened at ``at`` with one retrieval score, and what people said of them."""
    drafts = opened(world, [{"retrieval_score": score}] * (right + wrong), at=at, release=release, **fields)
    decide_all(world, drafts, [True] * right + [False] * wrong)


def finding(release: dict, metric: str) -> Finding:
    found = Release.objects.get(**release)
    look = drifting.look(found.pk)
    return next(one for one in drifting.findings_of(look.report) if one.metric == metric)


def test_a_worse_model_is_told_once_with_its_size_its_segment_and_its_cause(world):
    now = db_now()
    for domain in ("billing", "returns"):
        lived(world, OLD, 0.5, 54, 6, now - PAST, domain=domain)
    lived(world, NEW, 0.5, 20, 40, now - RECENT, domain="billing")
    lived(world, NEW, 0.5, 54, 6, now - RECENT, domain="returns")
    assert drifting.sweep() == 2, "the first release is looked at too, and has nothing before it"
    alert = DriftAlert.objects.get()
    assert (alert.metric, alert.n_before, alert.n_after) == ("override_rate", 120, 120)
    assert (alert.before, alert.after, alert.change) == pytest.approx((0.1, 46 / 120, 34 / 120))
    assert alert.low > 0.1
    found = Finding.from_json(alert.report)
    assert found.parts.main == (Cause.MODEL,)
    assert found.parts.of(Cause.TRAFFIC) == pytest.approx(0.0)
    assert found.moved.segment[0] == "billing"
    notice = Notice.objects.get(kind="release.drift")
    assert notice.user == world.supervisor
    assert "Override rate rose by 28.3 points at equal traffic" in notice.text
    assert notice.path.startswith("/admin/")

    assert drifting.sweep() == 0, "an hour has not passed"
    drifting.look(alert.release_id)
    assert (DriftAlert.objects.count(), Notice.objects.filter(kind="release.drift").count()) == (1, 1)
    assert [one.is_drift for one in drifting.findings_of(alert.release.drift_look.report)].count(True) == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        DriftAlert.objects.update(change=0.0)
    with pytest.raises(IntegrityError), transaction.atomic():
        DriftAlert.objects.create(
            **{
                field.name: getattr(alert, field.name)
                for field in alert._meta.fields
                if field.name not in ("id", "xid")
            }
        )


def test_another_mix_of_traffic_is_no_drift_and_is_named(world):
    now = db_now()
    lived(world, OLD, 0.5, 76, 4, now - PAST, language="en")
    lived(world, OLD, 0.5, 20, 20, now - PAST, language="de")
    lived(world, NEW, 0.5, 38, 2, now - RECENT, language="en-GB")
    lived(world, NEW, 0.5, 40, 40, now - RECENT, language="de")
    found = finding(NEW, "override_rate")
    assert (found.before, found.after) == pytest.approx((0.2, 0.35))
    assert found.change == pytest.approx(0.0)
    assert found.parts.of(Cause.TRAFFIC) == pytest.approx(0.15)
    assert not DriftAlert.objects.exists()


def test_a_stricter_policy_is_told_apart_from_the_model_by_replaying_old_cases(world):
    now = db_now()
    for score in (0.5, 0.85, 0.95):
        lived(world, OLD, score, 38, 2, now - PAST)
    with pretend_now(now - RECENT - timedelta(hours=1)):
        policy = Policy.objects.get(pk=world.policy.pk)
        policy.auto_approve_above = 0.9
        publish(policy, actor=system_actor(), reason="stricter")
    for score in (0.5, 0.85, 0.95):
        lived(world, NEW, score, 38, 2, now - RECENT)
    found = finding(NEW, "escalation_rate")
    assert (found.before, found.after) == pytest.approx((1 / 3, 2 / 3))
    assert found.parts.of(Cause.POLICY) == pytest.approx(1 / 3)
    assert found.parts.of(Cause.MODEL) == pytest.approx(0.0, abs=1e-9)
    assert found.parts.main == (Cause.POLICY,)
    assert DriftLook.objects.get(release__version="2").report["changed"] == ["the model", "the policy"]
    assert DriftAlert.objects.get().metric == "escalation_rate"
    error = finding(NEW, "automatic_approval_error")
    assert error.parts.of(Cause.POLICY) == pytest.approx(0.0, abs=1e-9), "the sampled ones that stay are as good"


def test_worse_retrieval_is_seen_by_its_signal(world):
    now, index = db_now(), {"model": "m", "retrieval_version": "idx-2"}
    for score, wrong in ((0.35, 15), (0.65, 3)):
        lived(world, {"model": "m"}, score, 30 - wrong, wrong, now - PAST)
    lived(world, index, 0.35, 15, 15, now - RECENT)
    lived(world, index, 0.65, 9, 1, now - RECENT)
    found = finding(index, "override_rate")
    assert found.parts.of(Cause.RETRIEVAL) == pytest.approx(found.change)
    both = {"model": "n", "retrieval_version": "idx-3"}
    lived(world, both, 0.35, 15, 15, now - RECENT)
    lived(world, both, 0.65, 9, 1, now - RECENT)
    found = finding(both, "override_rate")
    assert found.parts.main == (Cause.RETRIEVAL,), "its signal tells it from the model"
    silent = {"model": "o", "retrieval_version": "idx-4"}
    drafts = opened(world, [{}] * 40, at=now - RECENT, release=silent)
    decide_all(world, drafts, [number % 2 == 0 for number in range(40)])
    found = finding(silent, "override_rate")
    assert found.parts.of(Cause.MODEL) is None
    assert found.parts.rest_of == (Cause.MODEL, Cause.RETRIEVAL), "they changed together, and no signal was sent"


def test_days_that_are_hardly_decided_do_not_count(world):
    now = db_now()
    lived(world, OLD, 0.5, 54, 6, now - PAST)
    drafts = opened(world, [{"retrieval_score": 0.5}] * 60, at=now - RECENT, release=NEW)
    decide_all(world, drafts[:40], [False] * 40)
    look = drifting.look(Release.objects.get(**NEW).pk)
    assert drifting.findings_of(look.report) == []
    assert not DriftAlert.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_tell_once():
    world, now = make_world(rules=RULES, undo_seconds=0), db_now()
    lived(world, OLD, 0.5, 36, 4, now - PAST)
    lived(world, NEW, 0.5, 10, 30, now - RECENT)
    results = in_parallel([drifting.sweep] * 2)
    assert not failures(results)
    assert (DriftAlert.objects.count(), DriftLook.objects.count()) == (1, 2)
    assert Notice.objects.filter(kind="release.drift").count() == 1


def browser(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(client: Client, **query):
    return client.get(reverse("admin:feedback_drift"), query)


def test_the_page_shows_each_figure_with_its_causes_its_cases_and_its_marks(world, django_assert_max_num_queries):
    now = db_now()
    lived(world, OLD, 0.5, 54, 6, now - PAST)
    lived(world, NEW, 0.5, 20, 40, now - RECENT)
    drifting.sweep()
    rollups.refresh()
    new = Release.objects.get(**NEW)
    client = browser(world.supervisor)
    page(client)
    with django_assert_max_num_queries(15):
        text = page(client, release=new.pk).content.decode()
    for words in (
        "Override rate rose by",
        "Release m 2",
        "Changed with it: the model",
        "mostly the model",
        "<polyline",
    ):
        assert words in text, words
    link = re.search(r'href="(/admin/insights/cases/[^"]*release=[^"]*)">', text)[1]
    assert client.get(unescape(link)).status_code == 200
    alert = DriftAlert.objects.get()
    for address in (
        reverse("admin:feedback_driftalert_changelist"),
        reverse("admin:feedback_driftalert_change", args=[alert.pk]),
    ):
        assert "Override rate rose by" in client.get(address).content.decode()
    assert page(browser(world.reviewer)).status_code == 403
    assert page(client, release="x").status_code == 404
    outsider = browser(make_world("other").supervisor)
    assert "No release has been looked at" in page(outsider).content.decode()
    assert page(outsider, release=new.pk).status_code == 404
    assert "acme" not in page(outsider, tenant="acme").content.decode().lower()


def test_nobody_hears_of_another_tenants_releases(world):
    other, now = make_world("other", rules=RULES, undo_seconds=0), db_now()
    lived(other, OLD, 0.5, 54, 6, now - PAST)
    lived(world, NEW, 0.5, 5, 55, now - RECENT)
    drifting.sweep()
    assert not DriftAlert.objects.exists(), "nothing was before it in its own tenant"
    assert [one.release.tenant for one in drifting.looks_of(other.tenant, 9)] == [other.tenant]
