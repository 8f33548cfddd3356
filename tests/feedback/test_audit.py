"""The audit section: one trail of every room, searched, read in words and taken along; and views of sensitive data."""

import io
import re
import zipfile
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from simple_history.admin import SimpleHistoryAdmin

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, DataView, Denial, Tenant, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import sealing
from cases.services.audit import keep_denial
from cases.vocabulary import KeepViews
from feedback.audit import trail
from feedback.audit.sources import sources
from feedback.audit.trail import Cursor, Question
from feedback.models import Review
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import QuorumRule
from queues.services import claims
from tests.cases.sealed import audit_key
from tests.journeys.test_admin_access import furnish
from tests.worlds import World, make_world

__all__ = ["audit_key"]

pytestmark = pytest.mark.django_db
AUDIT = reverse("admin:audit")


@pytest.fixture
def world() -> World:
    return make_world("acme")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def shown(client: Client, **asked) -> list:
    answer = client.get(AUDIT, asked)
    assert answer.status_code == 200
    return answer.context["lines"]


def whats(lines) -> list[str]:
    return [line.what for line in lines]


def decided(world: World) -> Case:
    case = world.submit(external_id="conv-1")
    entry = claims.claim(case, world.reviewer)
    reviews.submit(case.pk, Submission(verdict="accept"), actor=world.reviewer, generation=entry.generation)
    return case


def of_case(client: Client, case: Case) -> list:
    answer = client.get(reverse("admin:audit-case", args=[case.pk]))
    assert answer.status_code == 200
    return answer.context["lines"]


# --- one timeline ----------------------------------------------------------------------------------------------------


def test_the_timeline_of_a_case_joins_every_room_newest_first(world):
    case = decided(world)
    keep_denial(Denied(world.colleague, "reopen_case", case))
    browser(world.supervisor).get(reverse("admin:cases_case_change", args=[case.pk]))
    lines = of_case(browser(world.compliance), case)
    found = set(whats(lines))
    assert {"Opened", "Decided", "Decision: Accept", "Taken", "Left its queue", "Refused", "Changed: case"} <= found
    assert "Opened the case's page" in found
    assert [line.row.at for line in lines] == sorted((line.row.at for line in lines), reverse=True)


def test_a_row_says_who_on_which_version_why_and_where_to_look(world):
    case = decided(world)
    review = next(line for line in of_case(browser(world.compliance), case) if line.what == "Decision: Accept")
    assert (review.who, review.version) == (str(world.reviewer), "draft 1, policy 1")
    assert review.url == reverse("admin:cases_case_change", args=[case.pk])


def test_a_change_shows_its_differences_in_words(world):
    tenant = Tenant.objects.get(pk=world.tenant.pk)
    tenant.undo_seconds = 60
    tenant.save_as(world.supervisor, "people asked for more time")
    (line,) = shown(browser(world.compliance), source="cases.historicaltenant")[:1]
    assert [(one.label, one.before, one.after) for one in line.differences] == [("undo seconds", "10", "60")]
    assert (line.who, line.row.reason) == (str(world.supervisor), "people asked for more time")


def test_the_purpose_of_a_case_is_told_nowhere(world):
    case = decided(world)
    for line in of_case(browser(world.compliance), case):
        assert "purpose" not in [one.label for one in line.differences]
    assert b"purpose" not in browser(world.compliance).get(AUDIT).content


def test_a_vote_stays_hidden_while_its_question_is_open(world):
    QuorumRule(tenant=world.tenant, name="two", required_reviews=2).save_as(system_actor(), "two look")
    case = world.submit()
    entry = world.claim()
    reviews.submit(case.pk, Submission(verdict="accept"), actor=world.reviewer, generation=entry.generation)
    assert Review.objects.get(case=case).kind == Review.Kind.VOTE
    cleo = browser(world.compliance)
    for lines in (of_case(cleo, case), shown(cleo), shown(cleo, person="rita")):
        assert not [line for line in lines if "Vote" in line.what]
        assert not [line for line in lines if line.row.source.table == "feedback_review"]
    entry = world.claim(world.colleague)
    reviews.submit(case.pk, Submission(verdict="accept"), actor=world.colleague, generation=entry.generation)
    assert sum("Vote" in line.what for line in of_case(cleo, case)) >= 2


# --- the search ------------------------------------------------------------------------------------------------------


def test_the_trail_is_searched_by_person_case_kind_window_and_table(world):
    case = decided(world)
    world.submit(external_id="conv-2")
    cleo = browser(world.compliance)
    assert {line.who for line in shown(cleo, person="rita")} == {str(world.reviewer)}
    assert {line.case for line in shown(cleo, case="conv-1")} == {"conv-1"}
    assert whats(shown(cleo, kind="case.opened")) == ["Opened", "Opened"]
    assert whats(shown(cleo, source="feedback.review")) == ["Decision: Accept"]
    assert shown(cleo, case=case.wire_id, until="2001-01-01T00:00") == []
    assert shown(cleo, since="2001-01-01T00:00", kind="case.decided")
    assert "No case of the tenant" in cleo.get(AUDIT, {"case": "conv-9"}).content.decode()


def test_the_trail_is_searched_by_action(world):
    furnish(world)
    action = world.tenant.actions.get()
    world.submit()
    lines = shown(browser(world.compliance), action=action.wire_id)
    assert lines
    assert {line.url for line in lines} == {reverse("admin:approvals_proposedaction_change", args=[action.pk])}


def test_pages_hold_every_row_once_in_one_order(world):
    with pretend_now(db_now() - timedelta(days=1)):  # Many rows of one instant: source and key decide then.
        for number in range(6):
            world.submit(external_id=f"same-{number}")
    decided(world)
    question = Question(world.tenant, world.compliance)
    whole = [row.cursor for row in trail.page(question, size=1_000)[0]]
    for size in (1, 3, 7):
        walked, after = [], None
        while True:
            rows, has_more = trail.page(question, after, size)
            walked += [row.cursor for row in rows]
            if not has_more:
                break
            after = Cursor.parse(walked[-1])
        assert walked == whole
    assert len(set(whole)) == len(whole)


@pytest.mark.parametrize(
    "after", ["", "x", "1.2", "1.999.x", "1.0.nonsense", "9" * 40 + ".0.1", "1.-1.5", "1.4." + "9" * 30]
)
def test_a_cursor_that_no_page_of_ours_wrote_is_the_first_page(world, after):
    world.submit()
    cleo = browser(world.compliance)
    assert whats(shown(cleo, after=after)) == whats(shown(cleo))


def test_no_page_asks_more_queries_when_there_is_more_to_show(world):
    cleo, counts = browser(world.compliance), []
    for size in (1, 12):
        for _ in range(size):
            world.submit()
        cleo.get(AUDIT)
        with CaptureQueriesContext(connection) as queries:
            cleo.get(AUDIT)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


def test_what_takes_too_long_is_stopped_and_says_what_to_do(world, monkeypatch):
    monkeypatch.setattr(trail, "PATIENCE", 1)
    world.submit()
    monkeypatch.setattr(trail, "_branch", lambda *_: "SELECT 0 AS place, '1' AS key, now() AS at FROM pg_sleep(5)")
    with pytest.raises(trail.TooMuchToRead, match="shorter window"):
        trail.page(Question(world.tenant, world.compliance))


def test_every_source_can_be_read_alone_and_for_a_case(world):
    furnish(world)
    case = world.tenant.cases.filter(actions__isnull=False).get()
    for source in sources():
        for asked in ({}, {"case": case.pk}, {"people": (world.reviewer.pk,)}):
            trail.page(Question(world.tenant, world.compliance, None, source=source.name, **asked))


# --- who may ---------------------------------------------------------------------------------------------------------


def test_an_outsider_finds_nothing_and_cannot_tell_a_case_from_none(world):
    case = decided(world)
    oscar = make_world("other").compliance
    client = browser(oscar)
    for asked in ({}, {"person": "rita"}, {"tenant": "acme"}, {"tenant": "acme", "case": "conv-1"}, {"case": "conv-1"}):
        page = client.get(AUDIT, asked).content.decode()
        assert "conv-1" not in re.sub(r'(value="|case=)conv-1', "", page)
        assert "rita@acme" not in page.lower()
        assert "Acme" not in page
    theirs = client.get(reverse("admin:audit-case", args=[case.pk]))
    nobodys = client.get(reverse("admin:audit-case", args=["0199aaaa-0000-7000-8000-000000000000"]))
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    event = case.events.first()
    sent = {"row": f"cases_caseevent:{event.pk}", "reason": "mine now"}
    assert client.post(reverse("admin:audit-export"), sent).status_code == 302
    assert client.post(f"{reverse('admin:audit-export')}?of={case.pk}", sent).status_code == 404
    assert not DataView.objects.exists()


def test_the_trail_is_for_those_with_the_right_alone_and_refusals_are_kept(world):
    case = decided(world)
    client = browser(world.reviewer)
    for address in (AUDIT, reverse("admin:audit-case", args=[case.pk])):
        assert client.get(address).status_code == 403
    assert client.post(reverse("admin:audit-export"), {"everything": "1", "reason": "x"}).status_code == 403
    assert Denial.objects.filter(actor=world.reviewer, permission="page").count() == 3
    assert b"Audit timeline" not in client.get(reverse("admin:cases_case_change", args=[case.pk])).content


def test_the_changes_of_challenges_are_for_those_who_keep_them(world):
    furnish(world)
    ines = world.person("ines", "tenant_admin")
    assert shown(browser(world.compliance), source="feedback.historicalchallenge")
    assert not shown(browser(ines), source="feedback.historicalchallenge")
    assert not [line for line in shown(browser(ines)) if line.row.source.right == "manage_challenges"]


def test_revert_is_off_on_every_page_of_the_back_office(world, settings):
    assert settings.SIMPLE_HISTORY_REVERT_DISABLED is True
    pages = [page for page in admin.site._registry.values() if isinstance(page, SimpleHistoryAdmin)]
    assert len(pages) > 20
    for page in pages:
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_simple_history", args=["1", "1"])
        assert not page.has_change_history_permission(None)


# --- views of sensitive data -----------------------------------------------------------------------------------------


def views(case: Case) -> list[tuple[str, str, bool]]:
    kept = DataView.objects.filter(case=case).order_by("id")
    return [(str(view.actor), view.what, view.with_customer) for view in kept.select_related("actor")]


def test_opening_a_case_is_kept_once_an_hour_for_each_person_and_place(world):
    case = world.submit(external_id="conv-1")
    sue, rita = browser(world.supervisor), browser(world.reviewer)
    page = reverse("admin:cases_case_change", args=[case.pk])
    for _ in range(3):
        sue.get(page)
    rita.get(page)
    sue.get(reverse("admin:cases_case_history", args=[case.pk]))
    sue.get(reverse("admin:feedback_review_work", args=[case.pk]))
    assert views(case) == [
        (str(world.supervisor), "case", True),
        (str(world.reviewer), "case", False),
        (str(world.supervisor), "history", False),
        (str(world.supervisor), "review", True),
    ]
    with pretend_now(db_now() + timedelta(hours=1)):
        sue.get(page)
    assert len(views(case)) == 5


def test_who_holds_the_case_is_left_out_unless_the_tenant_wants_all(world):
    case = world.submit()
    world.claim()
    rita, page = browser(world.reviewer), reverse("admin:feedback_review_work", args=[case.pk])
    rita.get(page)
    rita.get(reverse("admin:cases_case_change", args=[case.pk]))
    assert views(case) == []
    for keep, expected in ((KeepViews.ALL, 1), (KeepViews.NONE, 1)):
        world.tenant.keep_views = keep
        world.tenant.save_as(system_actor(), "auditors ask")
        rita.get(page)
        browser(world.supervisor).get(page) if keep == KeepViews.NONE else None
        assert len(views(case)) == expected


def test_a_person_who_reads_by_api_is_kept_and_a_service_account_is_not(world):
    from tests.callers import Caller

    case = world.submit()
    Caller(world.service, world.tenant).get(f"cases/{case.wire_id}/")
    assert views(case) == []
    Caller(world.supervisor, world.tenant).get(f"cases/{case.wire_id}/")
    Caller(world.supervisor, world.tenant).get(f"cases/{case.wire_id}/timeline/")
    assert [what for _, what, _ in views(case)] == ["api", "api_timeline"]


def test_opening_the_audit_timeline_is_a_view_as_well(world):
    case = world.submit()
    of_case(browser(world.compliance), case)
    assert "Opened its audit timeline" in whats(of_case(browser(world.compliance), case))


# --- taking it along -------------------------------------------------------------------------------------------------


def export(client: Client, query: str = "", **sent):
    return client.post(f"{reverse('admin:audit-export')}?{query}", {"reason": "for the auditor"} | sent)


@pytest.mark.django_db(transaction=True)
def test_ticked_rows_leave_with_their_proof_and_the_export_stands_in_the_trail(world, audit_key):
    case = decided(world)
    sealing.seal_due(wait=True)
    cleo = browser(world.compliance)
    lines = of_case(cleo, case)
    ticked = [line.reference for line in lines if line.reference]
    assert any(not line.reference for line in lines), "a claim is not sealed"
    answer = export(cleo, f"of={case.pk}", row=ticked)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as made:
        assert len(made.read("rows.jsonl").splitlines()) == len(ticked)
    everything = export(cleo, "kind=case.opened", everything="1")
    with zipfile.ZipFile(io.BytesIO(everything.content)) as made:
        assert made.read("rows.jsonl").count(b"case.opened") == 1
    assert whats(shown(cleo, kind="audit.exported")) == ["Part of the audit trail exported"] * 2
    assert shown(cleo, kind="audit.exported")[0].said == "for the auditor"


def test_an_export_wants_a_reason_and_rows_that_the_page_offers(world):
    case = world.submit()
    cleo = browser(world.compliance)
    for sent in ({"reason": ""}, {}, {"row": "cases_user:1"}, {"row": "cases_caseevent:x"}, {"row": "queues_claim:1"}):
        answer = export(cleo, f"of={case.pk}", **sent)
        assert (answer.status_code, answer["Location"]) == (302, reverse("admin:audit-case", args=[case.pk]))
    assert not CaseEvent.objects.filter(kind="audit.exported").exists()


def test_changes_of_cases_leave_only_with_those_who_may_know_of_challenges(world):
    case = world.submit()
    ines = world.person("ines", "tenant_admin")
    mine = {line.row.source.table: bool(line.reference) for line in of_case(browser(ines), case)}
    theirs = {line.row.source.table: bool(line.reference) for line in of_case(browser(world.compliance), case)}
    assert (mine["cases_historicalcase"], theirs["cases_historicalcase"]) == (False, True)
    key = case.history.first().pk
    assert export(browser(ines), f"of={case.pk}", row=f"cases_historicalcase:{key}").status_code == 302
