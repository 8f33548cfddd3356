"""Breakers in the back office: set up by who may, seen by the tenant, reset by a person with a reason."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now
from cases.models import BreakerAlarm, BreakerMark, BreakerReset, BreakerRule, BreakerState, User
from cases.vocabulary import Role
from tests.cases.breaking import breaker
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
NEW = {
    "name": "Overrides",
    "watches": "overrides",
    "looks": "rise",
    "is_active": "on",
    "by_domain": "on",
    "baseline_cases": "100",
    "slot_minutes": "1440",
    "shift": "0.1",
    "false_alarm_every": "5000",
    "action": "trip",
    "tells": ["supervisor"],
    "reason": "A first breaker",
}


@pytest.fixture
def world() -> World:
    return make_world()


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def alarm_of(rule: BreakerRule, domain: str = "billing") -> BreakerAlarm:
    now = db_now()
    BreakerState.objects.create(rule=rule, domain=domain, phase="alarmed", seen_at=now, sides=[], based_at=now)
    seen = {"since": now, "at": now, "n": 20, "hits": 14, "baseline": 0.2, "low": 0.48, "high": 0.86}
    series = {"tenant": rule.tenant, "name": rule.name, "watches": rule.watches, "domain": domain}
    return BreakerAlarm.objects.create(
        rule=rule, **series, **seen, direction="rise", statistic=40, limit=39, trips=True
    )


def test_an_admin_sets_a_breaker_up_and_a_supervisor_may_not(world):
    url = reverse("admin:cases_breakerrule_add")
    sent = NEW | {"tenant": str(world.tenant.pk)}
    assert sign_in(world.supervisor).post(url, sent).status_code == 403
    client = sign_in(world.person("adam", Role.TENANT_ADMIN))
    for wrong, words in (
        ({"shift": "0.9"}, "changes by 0.5 at most"),
        ({"baseline": "3"}, "lies between 0 and 1"),
        ({"watches": "denials"}, "Name the decision"),
    ):
        assert words in client.post(url, sent | wrong).content.decode()
    assert client.post(url, sent).status_code == 302
    rule = BreakerRule.objects.get()
    assert (rule.name, rule.action, BreakerMark.objects.get().rule) == ("Overrides", "trip", rule)
    assert rule.history.get().history_change_reason == "A first breaker"


def test_the_automation_page_and_the_breakers_own_show_an_open_alarm(world):
    rule = breaker(world)
    pages = [
        reverse("admin:cases_automationswitch_changelist"),
        reverse("admin:cases_breakerrule_change", args=[rule.pk]),
        reverse("admin:cases_breakeralarm_changelist"),
    ]
    client = sign_in(world.supervisor)
    for page in pages:
        assert "14 of 20" not in client.get(page).content.decode()
    alarm_of(rule)
    for page in pages:
        text = client.get(page).content.decode()
        assert "overrides: 14 of 20, 70% (95 %: 48% to 86%), usually 20%" in text, page
        assert " style=" not in text


def test_lists_ask_as_many_queries_however_many_alarms_there_are(world):
    rule = breaker(world)
    client, page = sign_in(world.supervisor), reverse("admin:cases_automationswitch_changelist")
    counts = []
    for number in range(3):
        alarm_of(rule, f"domain{number}")
        client.get(page)
        with CaptureQueriesContext(connection) as queries:
            client.get(page)
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_a_person_resets_an_alarm_with_a_reason(world):
    alarm = alarm_of(breaker(world))
    page = reverse("admin:cases_breakeralarm_change", args=[alarm.pk])
    url = reverse("admin:cases_breakeralarm_reset", args=[alarm.pk])
    reviewer, supervisor = sign_in(world.reviewer), sign_in(world.supervisor)
    assert url not in reviewer.get(page).content.decode()
    assert reviewer.post(url, {"reason": "mine"}).status_code == 403
    assert url in supervisor.get(page).content.decode()
    assert supervisor.get(url).status_code == 403, "a look changes nothing"
    supervisor.post(url, {"reason": ""})
    assert not BreakerReset.objects.exists()
    assert supervisor.post(url, {"reason": "A price list was missing"}).status_code == 302
    assert BreakerReset.objects.get().by == world.supervisor
    assert BreakerState.objects.get().phase == "watching"
    text = supervisor.get(page).content.decode()
    assert "A price list was missing" in text and url not in text


def test_an_outsider_sees_resets_and_changes_nothing(world):
    rule = breaker(world, name="Secret name")
    alarm = alarm_of(rule)
    other = make_world("other")
    client = sign_in(other.person("oscar", Role.TENANT_ADMIN, Role.SUPERVISOR))
    for name in ("breakerrule", "breakeralarm", "automationswitch"):
        text = client.get(reverse(f"admin:cases_{name}_changelist")).content.decode()
        assert "Secret name" not in text and "14 of 20" not in text

    def told(url: str, key: object, **post) -> tuple:
        response = client.post(url, post) if post else client.get(url)
        said = [str(one).replace(str(key), "KEY") for one in get_messages(response.wsgi_request)][-1:]
        return response.status_code, response.get("Location"), said

    theirs = told(reverse("admin:cases_breakeralarm_reset", args=[alarm.pk]), alarm.pk, reason="mine")
    nobodys = told(reverse("admin:cases_breakeralarm_reset", args=[987654]), 987654, reason="mine")
    assert theirs == nobodys and theirs[0] == 302
    assert told(reverse("admin:cases_breakerrule_change", args=[rule.pk]), rule.pk)[0] == 302
    assert not BreakerReset.objects.exists()
