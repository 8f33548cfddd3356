"""Dwell: recorded where a tenant has switched it on and the page says so, bounded, gone with its time and its case."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.permissions import Denied
from cases.services import erasure
from cases.services.subjects import Subject
from cases.vocabulary import Role
from feedback.habits import Dwelt, Look, Share, habits
from feedback.models import Dwell, DwellPolicy
from feedback.services import dwells
from feedback.services import habits as service
from queues.models import Entry
from queues.services import claims
from tests.feedback.review_pages import url, words_of
from tests.feedback.test_blind_looks import signed_in
from tests.feedback.test_habits import NOTHING
from tests.feedback.test_quorum import ACCEPT, vote
from tests.worlds import World, make_world

SAYS = "Recorded while you hold this case"
UNREAD = {"seconds": "40", "is_long": "1", "depth": "35", "opened": "0"}


@pytest.fixture
def world(db):
    world = make_world(undo_seconds=0)
    world.admin = world.person("tess", Role.TENANT_ADMIN)
    return world


def switched(world: World, is_on: bool) -> DwellPolicy:
    policy = DwellPolicy.objects.filter(tenant=world.tenant).first() or DwellPolicy(tenant=world.tenant)
    policy.is_on = is_on
    dwells.save_policy(policy, actor=world.admin, reason="agreed with the works council")
    return policy


def tell(client: Client, entry: Entry, **said) -> int:
    """What the page's script sends; the row that there is then."""
    body = {"generation": entry.generation} | UNREAD | said
    assert client.post(url("dwell", entry), body).status_code == 204
    return Dwell.objects.count()


def test_nothing_is_recorded_and_no_page_asks_for_it_until_the_tenant_switches_it_on(world):
    world.submit()
    entry, client = world.claim(), signed_in(world.reviewer)
    assert SAYS not in words_of(client.get(url("work", entry)))
    assert tell(client, entry) == 0
    for nobody in (world.reviewer, world.supervisor, make_world("other").person("olga", Role.TENANT_ADMIN)):
        with pytest.raises(Denied):
            dwells.save_policy(DwellPolicy(tenant=world.tenant, is_on=True), actor=nobody, reason="mine")
    switched(world, True)
    response = client.get(url("work", entry))
    assert SAYS in words_of(response) and b"feedback/dwell.js" in response.content
    assert SAYS not in words_of(signed_in(world.supervisor).get(url("work", entry))), "who only reads is not recorded"
    assert tell(client, entry) == 1
    switched(world, False)
    assert not Dwell.objects.exists()
    assert SAYS not in words_of(client.get(url("work", entry)))


def test_the_greatest_of_each_is_kept_within_bounds_for_the_holder_alone(world):
    switched(world, True)
    case, outsider = world.submit(), make_world("other")
    entry, client = world.claim(), signed_in(world.reviewer)
    assert tell(signed_in(world.colleague), entry) == 0
    assert signed_in(outsider.reviewer).post(url("dwell", case), {"generation": entry.generation}).status_code == 404
    assert client.get(url("dwell", case)).status_code == 405
    tell(client, entry, seconds="9999999", depth="250", opened="3", is_long="0")
    tell(client, entry, seconds="nonsense", depth="-4", opened="1" * 40, is_long="1")
    row = Dwell.objects.get()
    assert (row.generation, row.case, row.person) == (entry.generation, case, world.reviewer)
    assert (row.depth, row.opened, row.is_long) == (100, 3, True) and row.seconds < 60
    vote(case, world.reviewer, ACCEPT)
    assert tell(client, entry, depth="20") == 1, "the last of it comes while the page is left"
    with pretend_now(db_now() + timedelta(minutes=5)):
        tell(client, entry, opened="9")
    assert Dwell.objects.get().opened == 3


def test_it_goes_after_its_time_and_with_the_texts_of_its_case(world):
    switched(world, True)
    case = world.submit(customer={"reference": "cust_1"})
    entry, client = world.claim(), signed_in(world.reviewer)
    tell(client, entry)
    assert dwells.forget_old() == 0
    with pretend_now(db_now() + dwells.KEPT + timedelta(days=1)):
        assert dwells.forget_old() == 1
    tell(client, entry)
    vote(case, world.reviewer, ACCEPT)
    subject = Subject(world.tenant, reference="cust_1")
    erasure.erase(subject, actor=world.compliance, reason="asked for it")
    assert not Dwell.objects.exists() and Case.objects.get(pk=case.pk).content.is_erased


def test_it_says_who_decided_without_scrolling_or_opening_anything(world):
    switched(world, True)
    for case, said in ((world.submit(), {}), (world.submit(), {"depth": "90"}), (world.submit(), {"is_long": "0"})):
        entry = claims.claim(case, world.reviewer)
        tell(signed_in(world.reviewer), entry, **said)
        vote(case, world.reviewer, ACCEPT)
    vote(world.submit(), world.reviewer, ACCEPT)
    mine = service.of_person(world.reviewer, world.tenant, now=db_now())
    assert mine.unread == Share(1, 3)
    for person in (world.reviewer, world.supervisor):
        text = words_of(signed_in(person).get(reverse("admin:feedback_review_habits")))
        assert "also records how pages are read" in text and "1 of 3" in text, person
    assert "are not recorded" in words_of(
        signed_in(make_world("quiet").reviewer).get(reverse("admin:feedback_review_habits"))
    )


def test_time_in_front_of_the_page_counts_and_not_a_claim_in_another_tab():
    behind, read = Dwelt(2, True, 30, 0), Dwelt(60, True, 100, 2)
    assert Look(True, 600, 1200, behind).is_fast and not Look(True, 600, 1200, read).is_fast
    assert (behind.is_unread, read.is_unread, Dwelt(2, True, 30, 1).is_unread) == (True, False, False)
    assert "without scrolling" in " ".join(habits([Look(False, 60, 600, behind)] * 9, **NOTHING).stands_out)
