"""The automation page, the API and the command: stop, resume in stages, recall; and the banner on every page."""

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now
from cases.models import AutomationSwitch, Case, RecallRun, ResumeRequest, User
from cases.models.people import system_actor
from cases.services import impact, recalls, switch
from cases.services.switch import Scope
from cases.vocabulary import Depth, Role, Stage
from tests.callers import Caller
from tests.worlds import SURE, make_world

pytestmark = pytest.mark.django_db
PAGE = "/admin/cases/automationswitch/"
CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
SYSTEM = {"actor": system_actor(), "reason": "odd answers"}


@pytest.fixture
def world():
    return make_world(rules=CALM)


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def platform_admin() -> User:
    return User.objects.create_user("olga", is_superuser=True, is_staff=True)


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_says_what_a_stop_would_hit(world):
    for signals in (SURE, SURE, SURE, {}):
        world.submit(signals=signals)
    world.submit(domain="shipping")
    text = sign_in(world.supervisor).get(PAGE, {"where": str(world.tenant.pk), "domain": "billing"}).content.decode()
    assert re.search(r"<b>1</b> case waits", text)
    assert re.search(r"<b>75 %</b> of 4 cases of the last day", text)


def test_the_preview_moves_nothing_and_forgets_nothing(world):
    world.submit(domain="shipping")
    asked = {"where": str(world.tenant.pk), "domain": "shipping", "depth": "2", "reason": "Prices", "preview": "1"}
    answer = sign_in(world.supervisor).post(PAGE, asked)
    text = answer.content.decode()
    assert "for <b>the domain shipping, Acme</b> would hit" in text and "<b>1</b> case waits" in text
    assert re.search(r'name="reason" value="Prices"[^>]*id="stop_reason"', text), "as it was filled in"
    assert answer.context["resume_form"].initial == {"where": str(world.tenant.pk), "domain": "shipping"}
    assert switch.read(world.tenant, domain="shipping").allowed


def test_impact_is_bounded_and_tells_nothing_of_another_tenant(world, monkeypatch):
    monkeypatch.setattr(impact, "COUNTED", 2)
    make_world("other").submit()
    for _ in range(4):
        world.submit()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rows = impact.impact_of(Scope(world.tenant))
    assert len(queries) <= 6
    assert rows[0].figure == "more than 2"
    outsider = make_world("third").supervisor
    text = sign_in(outsider).get(PAGE, {"where": str(world.tenant.pk)}).content.decode()
    assert "would hit:" not in text


def test_a_supervisor_freezes_and_resumes_in_stages(world):
    client, where = sign_in(world.supervisor), {"where": str(world.tenant.pk), "reason": "keys stolen"}
    client.post(PAGE, where | {"depth": "2", "stop": "1"})
    assert not switch.read(world.tenant, depth=Depth.DISPATCH).allowed
    for stage, allowed, share in ((0, False, 100), (10, True, 10), (50, True, 50), (100, True, 100)):
        client.post(PAGE, where | {"stage": str(stage), "resume": "1"})
        state = switch.read(world.tenant)
        assert (state.allowed, state.share) == (allowed, share)
    assert switch.read(world.tenant, depth=Depth.DISPATCH).allowed


def test_a_second_person_confirms_on_the_page(world):
    world.tenant.resume_needs_two = True
    world.tenant.save_as(system_actor(), "two")
    second, client = world.person("sol", Role.SUPERVISOR), sign_in(world.supervisor)
    switch.stop(Scope(world.tenant), **SYSTEM)
    data = {"where": str(world.tenant.pk), "reason": "mended", "stage": "10", "resume": "1"}
    assert "another person has to confirm" in client.post(PAGE, data, follow=True).content.decode()
    asked = ResumeRequest.objects.get()
    url = f"{PAGE}requests/{asked.pk}/"
    own = client.get(PAGE).content.decode()
    assert "Take back" in own and 'name="confirm"' not in own
    assert "You asked for this yourself" in client.post(url, {"confirm": "1"}, follow=True).content.decode()
    outsider = sign_in(make_world("other").supervisor)
    assert "mended" not in outsider.get(PAGE).content.decode()
    theirs = outsider.post(url, {"confirm": "1"}, follow=True).content.decode()
    nobodys = outsider.post(f"{PAGE}requests/987654/", {"confirm": "1"}, follow=True).content.decode()
    assert "There is no such request" in theirs and "There is no such request" in nobodys
    assert not switch.read(world.tenant).allowed
    assert 'name="confirm"' in sign_in(second).get(PAGE).content.decode()
    sign_in(second).post(url, {"confirm": "1"})
    assert switch.read(world.tenant).share == 10
    assert sign_in(second).get(url).status_code == 405


def test_a_recall_is_counted_then_confirmed(world):
    world.submit(signals=SURE)
    client, since = sign_in(world.supervisor), f"{db_now() - timedelta(hours=1):%Y-%m-%d %H:%M}"
    data = {"tenant": str(world.tenant.pk), "since": since, "reason": "wrong price list", "domain": ""}
    text = client.post(f"{PAGE}recall/", data | {"count": "1"}).content.decode()
    assert re.search(r"<b>1</b> automatic approval\s+would go back", text)
    assert "Automation still runs here" in text
    assert not RecallRun.objects.exists()
    client.post(f"{PAGE}recall/", data | {"confirm": "1"})
    assert "0 of 1" in client.get(PAGE).content.decode()
    recalls.sweep(seconds=10)
    assert "done, 1 came back" in client.get(PAGE).content.decode()
    again = client.post(f"{PAGE}recall/", data | {"count": "1"}).content.decode()
    assert "<b>0</b>" in again and 'name="confirm"' not in again


def test_an_outsider_recalls_nothing_and_compliance_finds_no_form(world):
    data = {"tenant": str(world.tenant.pk), "since": "2026-01-01 00:00", "reason": "x", "confirm": "1"}
    outsider = sign_in(make_world("other").supervisor)
    assert "Select a valid choice" in outsider.post(f"{PAGE}recall/", data).content.decode()
    answer = sign_in(world.compliance).post(f"{PAGE}recall/", data, follow=True)
    assert "You may not recall cases" in answer.content.decode()
    assert not RecallRun.objects.exists()


@pytest.mark.parametrize("since", ["yesterday", "2999-01-01 00:00", ""])
def test_a_moment_that_cannot_be_chosen_stays_in_the_form_with_its_reason(world, since):
    data = {"tenant": str(world.tenant.pk), "since": since, "reason": "x", "confirm": "1"}
    answer = sign_in(world.supervisor).post(f"{PAGE}recall/", data)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


# --- the banner ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["/admin/", "/admin/cases/case/", "/admin/everything/", PAGE])
def test_every_page_says_what_stands_still(world, page):
    client = sign_in(world.reviewer)
    assert "<aside" not in client.get(page).content.decode()
    switch.stop(Scope(world.tenant, "billing"), actor=world.supervisor, reason="<b>wrong</b> prices")
    text = client.get(page).content.decode()
    banner = text[text.index("<aside") : text.index("</aside>")]
    assert "Automation is stopped" in banner and "billing" in banner and "Sue" in banner
    assert "<b>wrong" not in banner
    assert "<aside" not in sign_in(make_world("other").reviewer).get(page).content.decode()


def test_the_banner_names_a_stage_and_a_stop_of_everything_and_is_short(world):
    switch.resume(Scope(world.tenant), stage=Stage.TENTH, **SYSTEM)
    for number in range(5):
        switch.stop(Scope(world.tenant, f"d{number}"), **SYSTEM)
    switch.stop(Scope(), depth=Depth.DISPATCH, **SYSTEM)
    text = sign_in(world.reviewer).get("/admin/cases/case/").content.decode()
    banner = text[text.index("<aside") : text.index("</aside>")]
    assert "every tenant, and nothing that people approve is dispatched" in banner
    assert "resuming" in banner and "10 % passes" in banner
    assert "and 4 more scopes" in banner


# --- the API ------------------------------------------------------------------------------------------------------


def test_stages_over_the_api(world):
    caller = Caller(world.supervisor, world.tenant)
    stopped = caller.post("automation/stop/", {"reason": "odd", "depth": "dispatch"}).json()
    assert (stopped["ai_automation_enabled"], stopped["share"], stopped["waits_for_second_person"]) == (False, 0, False)
    resumed = caller.post("automation/resume/", {"reason": "mended", "share": 10}).json()
    assert (resumed["ai_automation_enabled"], resumed["share"]) == (True, 10)
    assert Caller(world.service, world.tenant).get("automation/").json()["share"] == 10
    bad = caller.post("automation/resume/", {"reason": "mended", "share": 11})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/share")


def test_the_same_request_of_a_second_person_confirms(world):
    world.tenant.resume_needs_two = True
    world.tenant.save_as(system_actor(), "two")
    switch.stop(Scope(world.tenant), **SYSTEM)
    body = {"reason": "mended", "share": 50}
    first = Caller(world.supervisor, world.tenant).post("automation/resume/", body)
    assert (first.status_code, first.json()["waits_for_second_person"]) == (202, True)
    assert first.json()["ai_automation_enabled"] is False
    second = Caller(world.person("sol", Role.SUPERVISOR), world.tenant).post("automation/resume/", body)
    assert (second.status_code, second.json()["share"]) == (200, 50)


def test_everything_at_once_is_for_the_platform(world):
    refused = Caller(world.supervisor, world.tenant).post("automation/stop/", {"reason": "odd", "everywhere": True})
    assert refused.status_code == 403
    olga = Caller(platform_admin(), world.tenant)
    stopped = olga.post("automation/stop/", {"reason": "leak", "everywhere": True}).json()
    assert (stopped["tenant_id"], stopped["ai_automation_enabled"]) == (None, False)
    assert "leak" in stopped["why"]
    assert not switch.read(world.tenant).allowed
    assert olga.post("automation/resume/", {"reason": "ok", "everywhere": True}).json()["ai_automation_enabled"]


def test_a_recall_over_the_api(world):
    world.submit(signals=SURE)
    caller = Caller(world.supervisor, world.tenant)
    body = {"since": (db_now() - timedelta(hours=1)).isoformat(), "reason": "wrong price list"}
    preview = caller.post("automation/recall/", body | {"preview": True})
    assert (preview.status_code, preview.json()["found"], preview.json()["recall_id"]) == (200, 1, None)
    begun = caller.post("automation/recall/", body)
    assert (begun.status_code, begun.json()["found"], begun.json()["recalled"]) == (202, 1, 0)
    assert caller.post("automation/recall/", body).json()["code"] == "recall_running"
    recalls.sweep(seconds=10)
    (run,) = caller.get("automation/recall/").json()["results"]
    assert (run["recall_id"], run["recalled"]) == (begun.json()["recall_id"], 1)
    assert run["finished_at"]
    assert Caller(world.service, world.tenant).post("automation/recall/", body).status_code == 403


# --- the command ----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("automation", *arguments, stdout=out)
    return out.getvalue()


def test_the_shell_stops_without_a_name_and_resumes_with_one(world):
    assert "cases wait" in run("stop", "--tenant", "acme", "--preview")
    assert switch.read(world.tenant).allowed
    assert "Stopped for Acme" in run("stop", "--tenant", "acme", "--reason", "leak", "--dispatch")
    assert not switch.read(world.tenant, depth=Depth.DISPATCH).allowed
    with pytest.raises(CommandError, match="--as"):
        run("resume", "--tenant", "acme", "--reason", "mended")
    with pytest.raises(CommandError, match="You may not do this here"):
        run("resume", "--tenant", "acme", "--reason", "mended", "--as", "rita@acme")
    assert "10 %" in run("resume", "--tenant", "acme", "--reason", "mended", "--as", "sue@acme")
    assert "Acme: 10 %" in run("status")
    assert "nobody" not in run("stop", "--everywhere", "--reason", "all")
    assert AutomationSwitch.objects.get(tenant=None).is_enabled is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stop", "--tenant", "nowhere", "--reason", "x"), "no tenant called nowhere"),
        (("stop", "--tenant", "acme"), "Say why"),
        (("recall", "--tenant", "acme", "--since", "noon", "--as", "sue@acme"), "--since is noon"),
        (("resume", "--tenant", "acme", "--as", "nobody", "--reason", "x"), "no account called nobody"),
    ],
)
def test_the_shell_says_what_is_missing(world, arguments, words):
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def test_the_shell_recalls_and_tests(world):
    world.submit(signals=SURE)
    since = (db_now() - timedelta(hours=1)).isoformat()
    arguments = ("recall", "--tenant", "acme", "--since", since, "--as", "sue@acme")
    assert "1 would go back" in run(*arguments, "--preview")
    assert "1 went back" in run(*arguments, "--reason", "wrong price list")
    assert Case.objects.get().state == "pending_review"
    assert "A probe passed by itself" in run("test")
