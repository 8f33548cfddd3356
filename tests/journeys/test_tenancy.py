"""No tenant sees, guesses or changes another's rows: every route, asked by an outsider."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from cases.clock import db_now
from cases.ids import new_id, to_wire
from cases.models import Denial
from cases.models.people import system_actor
from cases.services import people, recalls
from config import api
from feedback.kinds import Kind
from feedback.metrics import rollups
from feedback.models import Export, WeeklyExport
from feedback.services import exports, reviews
from feedback.submission import Submission
from queues.models import Consultation
from queues.services import claims
from tests.worlds import SURE, World, make_world

pytestmark = pytest.mark.django_db

API = "/api/v1/"
ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}
NO_HASH = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Probe:
    """How an outsider asks a route: method and body, and who of the other tenant is allowed to ask at all."""

    method: str = "GET"
    body: dict[str, Any] | None = None
    actor: str = "service"


# Routes that name a row: each is asked for another tenant's, and for one that does not exist.
WITH_ID: dict[str, list[Probe]] = {
    "cases/<str:case_id>/": [Probe(), Probe(actor="reviewer"), Probe(actor="supervisor")],
    "cases/<str:case_id>/timeline/": [Probe(), Probe(actor="compliance")],
    "cases/<str:case_id>/drafts/": [Probe("POST", {"model_draft": "Better."})],
    "cases/<str:case_id>/withdraw/": [Probe("POST", {}), Probe("POST", {"reason": "r"}, "supervisor")],
    "cases/<str:case_id>/escalate/": [Probe("POST", {})],
    "cases/<str:case_id>/satisfaction/": [Probe("POST", {"score": 1})],
    "cases/<str:case_id>/reviews/": [Probe("POST", {"verdict": "accept", "generation": 1}, "reviewer")],
    "cases/<str:case_id>/review-draft/": [
        Probe(actor="reviewer"),
        Probe("PUT", {"generation": 1, "notes": "n"}, "reviewer"),
    ],
    "cases/<str:case_id>/first-opinion/": [
        Probe(actor="reviewer"),
        Probe("POST", {"generation": 1, "answer": "a"}, "reviewer"),
    ],
    "cases/<str:case_id>/heartbeat/": [Probe("POST", {"generation": 1}, "reviewer")],
    "cases/<str:case_id>/release/": [Probe("POST", {"generation": 1}, "reviewer")],
    "cases/<str:case_id>/hand-up/": [Probe("POST", {"generation": 1, "reason": "r"}, "reviewer")],
    "cases/<str:case_id>/skip/": [Probe("POST", {"generation": 1, "reason": "r"}, "reviewer")],
    "cases/<str:case_id>/snooze/": [Probe("POST", {"generation": 1, "until": "2099-01-01T00:00:00Z"}, "reviewer")],
    "cases/<str:case_id>/decline/": [Probe("POST", {"generation": 1, "reason": "r"}, "reviewer")],
    "cases/<str:case_id>/consult/": [
        Probe("POST", {"generation": 1, "colleague": "carl@inner", "question": "q"}, "reviewer")
    ],
    "cases/<str:case_id>/stop-waiting/": [Probe("POST", {}, "reviewer")],
    "cases/<str:case_id>/answer/": [Probe("POST", {"answer": "a"}, "reviewer")],
    "actions/<str:action_id>/": [Probe(), Probe(actor="supervisor")],
    "actions/<str:action_id>/approve/": [Probe("POST", {"payload_hash": NO_HASH}, "supervisor")],
    "actions/<str:action_id>/reject/": [Probe("POST", {"payload_hash": NO_HASH, "reason": "r"}, "supervisor")],
    "actions/<str:action_id>/edit/": [Probe("POST", {"params": {}, "reason": "r"}, "supervisor")],
    "actions/<str:action_id>/cancel/": [Probe("POST", {}), Probe("POST", {}, "supervisor")],
    "actions/<str:action_id>/preview/": [Probe("POST", {})],
    "actions/<str:action_id>/take-back/": [Probe("POST", {}, "supervisor")],
    "actions/<str:action_id>/reconcile/": [Probe("POST", {"look_up": True}, "supervisor")],
    "exports/weekly/<str:weekly_id>/": [Probe(actor="supervisor"), Probe()],
    "exports/weekly/<str:weekly_id>/download/": [Probe(actor="supervisor"), Probe(actor="compliance")],
    "exports/<str:export_id>/": [Probe(actor="supervisor"), Probe()],
    "exports/<str:export_id>/download/": [Probe(actor="supervisor"), Probe(actor="reviewer")],
    "exports/<str:export_id>/cancel/": [Probe("POST", {}, "supervisor")],
}


@dataclass
class Scene:
    """Two tenants; the outsider belongs to ``outer`` and the rows to ``inner``."""

    inner: World
    outer: World
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, *, actor: str = "service", **headers: str):
        user = getattr(self.outer, actor)
        if actor not in self.tokens:
            self.tokens[actor] = people.issue_token(user, actor=system_actor(), tenant=self.outer.tenant)
        headers = {"Authorization": f"Token {self.tokens[actor]}", "X-Request-ID": "same"} | headers
        data = b"" if body is None else json.dumps(body).encode()
        return Client().generic(method, API + path, data, content_type="application/json", headers=headers)


@pytest.fixture
def scene() -> Scene:
    return Scene(make_world("inner", rules={"new_release_reviews": 0, "sampling_share": 0.0}), make_world("outer"))


def state_of(tenant) -> dict[str, list]:
    """Every row of the product that belongs to ``tenant``, whatever its columns."""
    found = {}
    for room in ("cases", "queues", "approvals", "feedback"):
        for model in apps.get_app_config(room).get_models():
            if (
                model is not Denial
                and any(f.name == "tenant" for f in model._meta.fields)
                and hasattr(model, "objects")
            ):
                found[model._meta.label] = sorted(map(repr, model.objects.filter(tenant=tenant).values_list()))
    return found


# --- the lists of a tenant ------------------------------------------------------------------------------------------


def nothing_of_the_inner(scene: Scene) -> None:
    scene.inner.submit(external_id="conv-1", tags=["vip"])
    mine = scene.outer.submit(external_id="conv-1")
    for query in ("", "?external_id=conv-1", "?state=pending_review", "?domain=billing", "?queue=general"):
        answer = scene.ask("GET", f"cases/{query}")
        assert [case["case_id"] for case in answer.json()["results"]] == [mine.wire_id], query
    assert scene.ask("GET", "cases/?tag=vip").json()["results"] == []


def no_case_into_the_inner(scene: Scene) -> None:
    good = {"domain": "billing", "user_question": "?", "external_id": "x"}
    for slug in ("inner", "no-such-tenant"):
        assert scene.ask("POST", "cases/", good | {"tenant_id": slug}).status_code == 404
    same = [scene.ask("POST", "cases/", good | {"tenant_id": slug}).content for slug in ("inner", "no-such-tenant")]
    assert same[0] == same[1]
    scene.inner.submit(external_id="x")
    assert scene.ask("POST", "cases/", good).status_code == 201, "another's external_id is no clash"


def no_bulk_into_the_inner(scene: Scene) -> None:
    cases = [{"domain": "billing", "user_question": "?"}, {"domain": "billing", "user_question": "?"}]
    found = []
    for slug in ("inner", "nosuch"):
        answer = scene.ask("POST", "cases/bulk/", {"cases": [cases[0], cases[1] | {"tenant_id": slug}]})
        assert 400 <= answer.status_code < 500
        found.append((answer.status_code, answer.content))
    assert found[0] == found[1]
    assert not scene.outer.tenant.cases.exists()


def no_action_of_the_inner(scene: Scene) -> None:
    case = scene.inner.submit(proposed_action=ACTION)
    mine = scene.outer.submit(proposed_action=ACTION).actions.get()
    for query in ("", "?state=proposed", "?action=issue_refund", "?impact=critical"):
        answer = scene.ask("GET", f"actions/{query}")
        assert [action["action_id"] for action in answer.json()["results"]] == [mine.wire_id], query
    for query in (f"?case_id={case.wire_id}", "?waiting_for_me=true"):
        assert scene.ask("GET", f"actions/{query}", actor="supervisor").json()["results"] == []


def no_action_into_the_inner(scene: Scene) -> None:
    same = [scene.ask("POST", "actions/", ACTION | {"tenant_id": slug}) for slug in ("inner", "no-such-tenant")]
    assert same[0].status_code == 404
    assert same[0].content == same[1].content


def no_queue_of_the_inner(scene: Scene) -> None:
    scene.inner.submit()
    answer = scene.ask("GET", "queues/", actor="supervisor").json()["results"]
    assert [(queue["tenant_id"], queue["waiting"]) for queue in answer] == [("outer", 0)]


def no_claim_in_the_inner(scene: Scene) -> None:
    scene.inner.submit()
    assert scene.ask("POST", "queues/claim/", {}, actor="reviewer").status_code == 204
    assert scene.ask("POST", "queues/claim/", {"queue": "general"}, actor="reviewer").status_code == 204
    same = [scene.ask("POST", "queues/claim/", {"tenant_id": slug}, actor="reviewer") for slug in ("inner", "no-such")]
    assert same[0].status_code == 404
    assert same[0].content == same[1].content


def no_question_of_the_inner(scene: Scene) -> None:
    case, now = scene.inner.submit(), db_now()
    Consultation(
        tenant=scene.inner.tenant,
        case=case,
        queue=scene.inner.queue,
        asker=scene.inner.reviewer,
        colleague=scene.inner.colleague,
        question=case.content,
        asked_at=now,
        answer_by=now,
    ).save()
    for actor in ("reviewer", "colleague", "supervisor"):
        assert scene.ask("GET", "questions/", actor=actor).json()["results"] == []


def no_switch_of_the_inner(scene: Scene) -> None:
    for path, method, body in (
        ("automation/", "GET", None),
        ("automation/stop/", "POST", {"reason": "r"}),
        ("automation/resume/", "POST", {"reason": "r"}),
        ("automation/recall/", "POST", {"reason": "r", "since": "2027-01-01T00:00:00Z", "preview": True}),
    ):
        answers = []
        for slug in ("inner", "no-such"):
            query = f"{path}?tenant_id={slug}" if method == "GET" else path
            sent = body and body | {"tenant_id": slug}
            answers.append(scene.ask(method, query, sent, actor="supervisor"))
        assert answers[0].status_code == 404, path
        assert answers[0].content == answers[1].content, path


def no_recall_of_the_inner(scene: Scene) -> None:
    no_switch_of_the_inner(scene)
    since = db_now() - timedelta(hours=1)
    recalls.ask(scene.inner.tenant, since=since, reason="wrong", actor=scene.inner.supervisor)
    assert scene.ask("GET", "automation/recall/", actor="supervisor").json() == {"results": []}


def no_export_of_the_inner(scene: Scene) -> None:
    made = ask_for_export(scene)
    assert scene.ask("GET", "exports/", actor="supervisor").json()["results"] == []
    body = {"kind": "overrides", "format": "jsonl"}
    same = [scene.ask("POST", "exports/", body | {"tenant_id": slug}, actor="supervisor") for slug in ("inner", "no")]
    assert same[0].status_code == 404
    assert same[0].content == same[1].content
    assert made.tenant.exports.count() == 1


def ask_for_export(scene: Scene) -> Export:
    return exports.request(scene.inner.tenant, kind=Kind.OVERRIDES, format="jsonl", actor=scene.inner.supervisor)


def export_a_week(scene: Scene) -> WeeklyExport:
    now = db_now()
    export = WeeklyExport(
        tenant=scene.inner.tenant, year=2026, week=10, starts_at=now, ends_at=now, watermark="1", frozen_at=now
    )
    export.save()
    return export


def no_week_of_the_inner(scene: Scene) -> None:
    export_a_week(scene)
    assert scene.ask("GET", "exports/weekly/", actor="supervisor").json()["results"] == []


def no_metric_of_the_inner(scene: Scene) -> None:
    scene.inner.submit()
    rollups.refresh()
    for query in ("", "?by=queue", "?group_by=day&by=reviewer", "?metric=queue_age"):
        rows = scene.ask("GET", f"metrics/{query}", actor="supervisor").json()["results"]
        assert {row["denominator"] for row in rows} <= {"0"}, query
        assert {row["key"] for row in rows} <= {None}, query
    release = scene.inner.tenant.releases.first().pk
    pairs = (
        ("tenant_id=inner", "tenant_id=no-such"),
        ("reviewer=rita@inner", "reviewer=nobody"),
        (f"release={release}", f"release={new_id()}"),
    )
    for theirs, nobodys in pairs:
        same = [scene.ask("GET", f"metrics/?{query}", actor="supervisor") for query in (theirs, nobodys)]
        assert same[0].status_code == 404, theirs
        assert same[0].content == same[1].content, theirs


WITHOUT_ID: dict[str, Callable[[Scene], None]] = {
    "cases/": nothing_of_the_inner,
    "cases/ (POST)": no_case_into_the_inner,
    "cases/bulk/": no_bulk_into_the_inner,
    "actions/": no_action_of_the_inner,
    "actions/ (POST)": no_action_into_the_inner,
    "exports/": no_export_of_the_inner,
    "exports/weekly/": no_week_of_the_inner,
    "queues/": no_queue_of_the_inner,
    "queues/claim/": no_claim_in_the_inner,
    "questions/": no_question_of_the_inner,
    "metrics/": no_metric_of_the_inner,
    "automation/": no_switch_of_the_inner,
    "automation/stop/": no_switch_of_the_inner,
    "automation/resume/": no_switch_of_the_inner,
    "automation/recall/": no_recall_of_the_inner,
}


def test_every_route_of_the_api_has_an_outsider_test():
    """A new route comes here first: add its probe above."""
    routes = {str(pattern.pattern) for pattern in api.urlpatterns}
    covered = set(WITH_ID) | {re.sub(r" \(.*", "", name) for name in WITHOUT_ID}
    assert routes - covered == set(), "routes without an outsider test"
    assert covered - routes == set(), "probes of routes that are gone"


def methods_of(route: str) -> set[str]:
    view = next(pattern.callback.view_class for pattern in api.urlpatterns if str(pattern.pattern) == route)
    return {method.upper() for method in ("get", "post", "put", "patch", "delete") if hasattr(view, method)}


@pytest.mark.parametrize("route", WITH_ID)
def test_every_method_of_a_route_that_names_a_row_is_probed(route):
    assert {probe.method for probe in WITH_ID[route]} == methods_of(route)


@pytest.mark.parametrize(
    ("route", "probe"),
    [(route, probe) for route, probes in WITH_ID.items() for probe in probes],
    ids=lambda value: value if isinstance(value, str) else f"{value.method}-{value.actor}",
)
def test_anothers_row_is_byte_for_byte_the_404_of_one_that_does_not_exist(scene, route, probe):
    case = scene.inner.submit(proposed_action=ACTION)
    claims.claim(case, scene.inner.reviewer)
    row = case.actions.get() if "<str:action_id>" in route else case
    row = ask_for_export(scene) if "<str:export_id>" in route else row
    row = export_a_week(scene) if "<str:weekly_id>" in route else row
    before = state_of(scene.inner.tenant)
    answers = []
    for wire_id in (row.wire_id, to_wire(row.PREFIX, new_id()), f"{row.PREFIX}_1", "nonsense", row.wire_id.upper()):
        path = re.sub("<str:.*?_id>", wire_id, route)
        answer = scene.ask(probe.method, path, probe.body, actor=probe.actor)
        headers = {name: value for name, value in answer.items() if not name.startswith(("RateLimit", "X-RateLimit"))}
        answers.append((answer.status_code, answer.content, headers))
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers[1:])
    assert state_of(scene.inner.tenant) == before
    assert not Denial.objects.exists(), "whoever may not see a row is not told that there is one to be denied"


@pytest.mark.parametrize("name", WITHOUT_ID)
def test_a_route_of_lists_shows_and_changes_nothing_of_another_tenant(scene, name):
    before = state_of(scene.inner.tenant)
    WITHOUT_ID[name](scene)
    after = state_of(scene.inner.tenant)
    for model in ("cases.Membership", "cases.Policy", "cases.AutomationSwitch", "queues.Queue", "queues.Claim"):
        assert after[model] == before[model]


def test_an_idempotency_key_belongs_to_its_caller(scene):
    """The same key of another account answers nothing of this one's."""
    body = {"domain": "billing", "user_question": "?"}
    first = scene.ask("POST", "cases/", body, **{"Idempotency-Key": "k1"})
    swapped = Scene(scene.outer, scene.inner)
    second = swapped.ask("POST", "cases/", body, **{"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["case_id"] != second.json()["case_id"]
    assert "Idempotency-Replayed" not in second


def test_a_cursor_of_one_tenant_opens_no_page_of_another(scene):
    for _ in range(3):
        scene.inner.submit()
        scene.outer.submit()
    swapped = Scene(scene.outer, scene.inner)
    page = swapped.ask("GET", "cases/?limit=1").json()["next"]
    stolen = scene.ask("GET", "cases/" + page[page.index("?") :])
    inner = {case.wire_id for case in scene.inner.tenant.cases.all()}
    assert not {case["case_id"] for case in stolen.json()["results"]} & inner


@pytest.mark.parametrize("ended", ["membership", "tenant", "account", "token"])
def test_who_has_left_sees_nothing_any_more(scene, ended):
    case = scene.outer.submit()
    assert scene.ask("GET", f"cases/{case.wire_id}/").status_code == 200
    match ended:
        case "membership":
            scene.outer.service.memberships.update(is_active=False)
        case "tenant":
            type(scene.outer.tenant).objects.filter(pk=scene.outer.tenant.pk).update(is_active=False)
        case "account":
            type(scene.outer.service).objects.filter(pk=scene.outer.service.pk).update(is_active=False)
        case "token":
            scene.outer.service.auth_token_set.all().delete()
    expected = 404 if ended in ("membership", "tenant") else 401
    assert scene.ask("GET", f"cases/{case.wire_id}/").status_code == expected


def test_a_service_account_gets_a_404_for_a_challenge_of_its_own_tenant(scene):
    case = scene.outer.submit()
    type(case).objects.filter(pk=case.pk).update(purpose="challenge")
    assert scene.ask("GET", f"cases/{case.wire_id}/").status_code == 404
    assert scene.ask("GET", "cases/").json()["results"] == []
    assert scene.ask("GET", f"cases/{case.wire_id}/", actor="supervisor").status_code == 200


def test_no_answer_ever_names_the_private_purpose(scene):
    case = scene.outer.submit(signals=SURE)
    entry_case = scene.outer.submit()
    entry = claims.claim(entry_case, scene.outer.reviewer)
    reviews.submit(entry_case.pk, Submission("accept"), actor=scene.outer.reviewer, generation=entry.generation)
    for actor in ("service", "reviewer", "supervisor"):
        for path in ("cases/", f"cases/{case.wire_id}/", f"cases/{case.wire_id}/timeline/"):
            assert b"purpose" not in scene.ask("GET", path, actor=actor).content
