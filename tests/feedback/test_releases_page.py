"""The page of releases: the cautious start, the rules in force, the error so far; of one's own tenant only."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.models import Policy, Release
from cases.models.people import system_actor
from cases.services import policies
from cases.vocabulary import Role
from feedback.advisor.intervals import clopper_pearson
from feedback.metrics import rollups
from feedback.services.releases import SHOWN, standings
from feedback.services.route_quality import refresh
from tests.feedback.decided import decided
from tests.feedback.test_insights_page import look
from tests.worlds import SURE, World, make_world

PAGE = "/admin/releases/"


@pytest.fixture
def world(db) -> World:
    """Every automatic approval of the new release is drawn; one in ten was wrong. Returns have their own policy."""
    rules = {"new_release_reviews": 25, "new_release_sampling": 1.0, "new_release_threshold": None}
    world = make_world(rules=rules, undo_seconds=0)
    own = Policy(tenant=world.tenant, domain="returns", new_release_reviews=5, sampling_share=0.2)
    policies.publish(own, actor=system_actor(), reason="returns are harmless")
    decided(world, [(SURE, True)] * 9 + [(SURE, False)], release={"model": "gpt", "version": "7"})
    decided(world, [(SURE, True)] * 2, release={"model": "gpt", "version": "7"}, domain="returns")
    Release.objects.filter(version="7").update(reviews=12)
    world.submit(release={"model": "<b>bold</b>"})
    rollups.refresh()
    refresh()
    return world


def test_each_domain_stands_where_its_policy_says(world):
    (found,) = standings(world.tenant, list(Release.objects.filter(version="7")))
    billing, returns = found.domains
    assert (billing.domain, billing.is_cautious, billing.needed, billing.is_own_policy) == ("billing", True, 25, False)
    assert (billing.sampling, billing.threshold, billing.cases, billing.passed) == (1.0, 0.95, 10, 10)
    assert (returns.domain, returns.is_cautious, returns.needed, returns.is_own_policy) == ("returns", False, 5, True)
    assert (returns.sampling, returns.threshold) == (0.2, 0.95)
    assert billing.seen.interval == clopper_pearson(1, 10)


def test_triage_judges_by_the_rules_that_the_page_shows(world):
    (found,) = standings(world.tenant, list(Release.objects.filter(version="7")))
    for one in found.domains:
        draft = world.submit(signals=SURE, release={"model": "gpt", "version": "7"}, domain=one.domain).current_draft
        assert (draft.threshold, draft.sample_share) == (one.threshold, one.sampling)


def test_the_page_says_it_in_words(world):
    text = look(world, url=PAGE).content.decode()
    for words in ("cautious start: 12 of 25 reviews", "past its start: 12 reviews", "10.0 % (0.3 to 44.5)", "gpt 7"):
        assert words in text, words
    assert "<b>bold</b>" not in text and "bold" in text
    assert 'href="/admin/releases/"' in look(world, url="/admin/").content.decode()


def test_a_release_without_cases_and_a_tenant_without_releases_have_a_page_too(world):
    Release.objects.create(
        tenant=world.tenant, model="silent", first_seen_at=world.tenant.releases.first().first_seen_at
    )
    assert "no case in this time" in look(world, url=PAGE).content.decode()
    assert "No draft has named a release yet" in look(make_world("bare"), url=PAGE).content.decode()


def test_the_number_of_queries_does_not_grow_and_pages_are_bounded(world):
    look(world, url=PAGE)
    with CaptureQueriesContext(connection) as few:
        look(world, url=PAGE)
    at = Release.objects.first().first_seen_at
    Release.objects.bulk_create(
        Release(tenant=world.tenant, model=f"m{number}", first_seen_at=at) for number in range(2 * SHOWN)
    )
    with CaptureQueriesContext(connection) as many:
        text = look(world, url=PAGE).content.decode()
    assert len(many) == len(few)
    assert text.count('scope="rowgroup"') == SHOWN
    assert "Page 1 of 3" in text
    assert (
        "gpt 7"
        in look(world, url=f"{PAGE}?page=3").content.decode() + look(world, url=f"{PAGE}?page=1").content.decode()
    )
    assert look(world, url=f"{PAGE}?page=x'&tenant=%00").status_code in (200, 400)


def test_the_page_is_for_those_who_may_see_metrics_and_of_their_own_tenant(world):
    assert look(world, world.reviewer, PAGE).status_code == 403
    for user in (world.compliance, world.person("tara", Role.TENANT_ADMIN)):
        assert look(world, user, PAGE).status_code == 200
    other = make_world("zeta")
    for url in (PAGE, f"{PAGE}?tenant=acme"):
        assert "gpt" not in look(world, other.supervisor, url).content.decode()
