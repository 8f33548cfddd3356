"""The printed permission matrix is what the product does: every line of it, asked in every role.

Pages and routes are asked by their real address, view and account; only the drawing of the answer is left out. Each
question is rolled back, so that one does not change what the next one meets.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import resolve, reverse
from rest_framework.test import force_authenticate

from approvals.models import ProposedAction
from cases.clock import db_now, pretend_now
from cases.errors import CountersignError
from cases.models import BreakerAlarm, BreakerRule, Case, ChangeRequest, Denial, ResumeRequest, Tenant, User
from cases.models.people import system_actor
from cases.services import breakers, people, switch
from cases.services.changes import Wish, ask
from cases.vocabulary import Role
from config import permission_matrix as matrix
from config.permission_matrix import ANYBODY, AUTHORITY, COLUMNS, PLATFORM_ADMIN, WORKER, Line
from feedback.models import Review
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.journeys.test_admin_access import furnish
from tests.journeys.test_tenancy import WITH_ID
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

# Pages of which the refusals are asked alone: what they show or do needs more than this scene has.
REFUSALS_ONLY = {
    "cases_seal_head": "a seal",
    "feedback_weights_adopt": "weights that were learned",
    "feedback_weights_shadow": "weights that were learned",
    "feedback_challenge_of_case": "a decision that is final",
    "feedback_weeklyexport_download": "a week that was exported",
    "/api/v1/exports/weekly/<str:weekly_id>/": "a week that was exported",
    "/api/v1/exports/weekly/<str:weekly_id>/download/": "a week that was exported",
    "feedback_review_strike": "a vote on an open question",
    "insights-cases": "a measure that was chosen on the page before",
    "cases_webhookendpoint_test": "an address that answers",
    "approvals_proposedaction_reconcile": "an action whose result is unknown",
    "feedback_correction_next": "a correction that waits; it leads on to that",
    "feedback_correction_take_back": "a label",
    "feedback_correction_alike": "labels on cases that are alike",
    "feedback_evidencepack_download": "a pack that is ready",
    "feedback_export_download": "an export that is ready",
}
REFUSED = {401, 403, 404, 405}
HOME = "/admin/"


@dataclass
class Scene:
    """A furnished tenant, and one account of each column."""

    world: World
    keys: dict[type[Model], Any]
    accounts: dict[str, User]
    tokens: dict[str, str] = field(default_factory=dict)

    def key(self, model_name: str) -> Any:
        return next(key for model, key in self.keys.items() if model._meta.model_name == model_name)


@pytest.fixture
def scene() -> Scene:
    world = make_world("acme")
    keys = furnish(world)
    accounts = {
        role.value: world.person(f"the-{role}", role, reviews="reviewer" in role)
        for role in Role
        if role != Role.INTEGRATION
    }
    accounts[Role.INTEGRATION.value] = world.service
    olga = User(username="olga", is_superuser=True, is_staff=True)
    olga.save()
    return Scene(world, keys, accounts | {PLATFORM_ADMIN: olga})


# --- asking -----------------------------------------------------------------------------------------------------------


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def request_of(user: User, method: str, path: str, data: dict[str, Any]) -> HttpRequest:
    request = getattr(RequestFactory(), method.lower())(path, data)
    request.user, request.session = user, SessionStore()
    request._messages, request._dont_enforce_csrf_checks = CookieStorage(request), True
    return request


def work_of(tenant: Tenant) -> list[Any]:
    """What working on cases changes."""
    entries = Entry.objects.filter(tenant=tenant).order_by("pk").values()
    cases = Case.objects.filter(tenant=tenant).order_by("pk").values_list("state", "decided_at")
    return [*entries, *cases, Review.objects.filter(tenant=tenant).count()]


def works(user: User, path: str, data: dict[str, Any], tenant: Tenant) -> bool:
    """Whether what ``user`` sends changes anything of the work: its pages answer with a sentence and a way back."""
    with undone():
        before, found = work_of(tenant), resolve(path)
        try:
            found.func(request_of(user, "POST", path, data), *found.args, **found.kwargs)
        except (PermissionDenied, Http404):
            return False
        return work_of(tenant) != before


def opens(user: User, method: str, path: str, data: dict[str, Any] | None = None) -> bool:
    """Whether the back office does or shows this for ``user``: no refusal, no kept denial, not sent away."""
    with undone():
        request = request_of(user, method, path, data or {})
        found, before = resolve(path), Denial.objects.count()
        try:
            answer: HttpResponse = found.func(request, *found.args, **found.kwargs)
        except (PermissionDenied, Http404):
            return False
        sent_away = answer.status_code == 302 and (method == "GET" or answer["Location"] in (HOME, ""))
        said = " ".join(str(message) for message in request._messages)
        is_refused = answer.status_code in REFUSED or sent_away or "may not" in said or "There is no" in said
        return not is_refused and Denial.objects.count() == before


def answers(user: User, method: str, path: str, body: dict[str, Any], *, is_work: bool) -> bool:
    """Whether the API does this for ``user``. A conflict or a wrong value comes after the question of the right; but
    for the work on a case, where the question is who holds its claim."""
    with undone():
        data = json.dumps(body) if method != "GET" else None
        request = RequestFactory().generic(method, f"/api/v1/{path}", data or "", content_type="application/json")
        force_authenticate(request, user=user)
        found = resolve(request.path)
        status = found.func(request, *found.args, **found.kwargs).status_code
        return status < 400 if is_work else status not in REFUSED


def wrong_lines(lines: list[tuple[Line, Callable[[User], bool]]], scene: Scene, columns: tuple[str, ...]) -> list[str]:
    wrong = []
    for line, asks in lines:
        for column in columns:
            if line.allows(column) and (line.right == WORKER or line.name in REFUSALS_ONLY):
                continue  # Of workers, it is the one who holds the claim: tests/queues and tests/feedback ask them.
            if asks(scene.accounts[column]) != line.allows(column):
                wrong.append(f"{line.name} {line.what} {column}: expected {line.allows(column)}")
    return wrong


PEOPLE = tuple(column for column in COLUMNS if column != Role.INTEGRATION)


# --- nothing is missing -----------------------------------------------------------------------------------------------


def test_every_page_route_and_role_has_its_line():
    """A new page or route comes here first: give it its right in config/permission_matrix.py."""
    named = set(matrix.OWN_PAGES) | matrix.DJANGOS_OWN | {"cases_case_act"}
    assert matrix.own_page_names() - named == set(), "pages without a line"
    assert set(matrix.OWN_PAGES) - matrix.own_page_names() == set(), "lines of pages that are gone"
    assert matrix.routes() == set(matrix.ROUTES)


def test_every_command_that_takes_a_name_has_its_line():
    named = set()
    for path in Path(settings.BASE_DIR).glob("*/management/commands/*.py"):
        if '"--as"' in path.read_text():
            named.add(path.stem)
    assert named == {command.split()[0] for command in matrix.COMMANDS}


def test_the_document_is_what_the_command_prints():
    out = StringIO()
    call_command("permission_matrix", stdout=out)
    written = (Path(settings.BASE_DIR) / "docs" / "permissions.md").read_text()
    assert out.getvalue() == written, "run: manage.py permission_matrix > docs/permissions.md"


def test_a_machine_finds_no_page_of_the_back_office(scene):
    for name in ("index", "everything", "cases_case_changelist"):
        assert not opens(scene.world.service, "GET", reverse(f"admin:{name}"))


# --- every line, asked ------------------------------------------------------------------------------------------------


def test_the_lists_and_forms_of_every_model_open_to_the_roles_that_the_matrix_names(scene):
    lines = []
    for line in matrix.model_lines():
        model_name = line.name.partition("_")[2]
        if line.what == "change":
            found = [key for model, key in scene.keys.items() if model._meta.model_name == model_name]
            if not found:
                continue  # None of its rows is in the scene; its list and its form are asked.
            path = reverse(f"admin:{line.name}_change", args=[found[0]])
            lines.append((line, partial(opens, method="POST", path=path)))
            continue
        page = "changelist" if line.what == "list" else "add"
        path = reverse(f"admin:{line.name}_{page}")
        lines.append((line, partial(opens, method="GET", path=path)))
    assert not (wrong := wrong_lines(lines, scene, PEOPLE)), "\n".join(wrong)


def test_the_houses_own_pages_open_to_the_roles_that_the_matrix_names(scene):
    world, arguments = scene.world, own_page_arguments(scene)
    lines = []
    for line in matrix.own_page_lines():
        if line.right in (ANYBODY, AUTHORITY):
            continue  # tests/approvals/test_authority_matrix.py asks the latter, of every kind of person.
        name, _, act = line.name.partition(" ")
        args, data = arguments.get(line.name) or arguments.get(name, ((), {}))
        path = reverse(f"admin:{name}", args=[*args, act] if act else args)
        if line.right == WORKER:
            lines.append((line, partial(works, path=path, data=data, tenant=world.tenant)))
        else:
            lines.append((line, partial(opens, method=line.what, path=path, data=data)))
    assert not (wrong := wrong_lines(lines, scene, PEOPLE)), "\n".join(wrong)


def own_page_arguments(scene: Scene) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
    """Per page the keys in its address and what is sent to it."""
    world, why = scene.world, {"reason": "because"}
    entry = Entry.objects.get(claimed_by=world.reviewer)
    later = f"{entry.due_at + timedelta(days=1):%Y-%m-%dT%H:%M}"
    corrected = correction(scene)
    action = ProposedAction.objects.get(pk=scene.keys[ProposedAction])
    found: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "cases_automationswitch_answer": ((resume_request(scene).pk,), {"refuse": "1"}),
        "cases_breakeralarm_reset": ((alarm(scene).pk,), why),
        "cases_changerequest_answer": ((change(scene).pk,), {"refuse": "1"}),
        "cases_customertemplate_test": ((scene.key("customertemplate"),), {}),
        "cases_customernotice_resend": ((scene.key("customernotice"),), {}),
        "cases_noticechannel_test": ((scene.key("noticechannel"),), {}),
        "cases_notice_resend": ((scene.key("notice"),), {}),
        "cases_legalhold_release": ((scene.key("legalhold"),), why),
        "cases_user_access": ((world.colleague.pk,), {}),
        "cases_user_tokens": ((world.service.pk,), {}),
        "cases_user_token_revoke": ((world.service.pk, token_key(scene)), {}),
        "auth_user_password_change": ((world.colleague.pk,), {}),
        "cases_delivery_resend": ((scene.key("delivery"),), {}),
        "cases_seal_head": ((1,), {}),
        "queues_entry_take_back": ((entry.pk,), why),
        "queues_entry_deadline": ((entry.pk,), why | {"due_at": later, "seen": entry.due_at.isoformat()}),
        "feedback_challenge_variant": ((scene.key("challenge"),), {}),
        "feedback_challenge_of_case": ((corrected.case_id,), {}),
        "feedback_weeklyexport_download": ((uuid4(), "manifest.json"), {}),
        "queues_entry_rebalance": ((world.queue.pk,), {}),
        "queues_entry_hand_over": ((world.reviewer.pk,), {}),
        "approvals_approvalauthority_grants": ((scene.key("approvalauthority"),), {}),
        "feedback_export_push": ((scene.key("export"),), {"target": str(scene.key("pushtarget"))}),
        "feedback_review_work": ((scene.keys[Case],), {}),
        "audit-case": ((scene.keys[Case],), {}),
        "cases_case_act withdraw": ((scene.keys[Case],), why),
        "cases_case_act reopen": ((corrected.case_id,), why),
    }
    for name in ("test", "new_secret", "remove_previous", "resend"):
        found[f"cases_webhookendpoint_{name}"] = ((scene.key("webhookendpoint"),), {})
    for name in ("try", "new_secret", "remove_previous"):
        found[f"approvals_actiontype_{name}"] = ((scene.key("actiontype"),), {})
    for name in ("reconcile", "retry_preview", "cancel"):
        found[f"approvals_proposedaction_{name}"] = ((action.pk,), why)
    for name in ("download", "cancel"):
        found[f"feedback_export_{name}"] = ((scene.key("export"),), {})
        found[f"feedback_evidencepack_{name}"] = ((scene.key("evidencepack"),), {})
    for name in ("label", "take_back", "alike"):
        found[f"feedback_correction_{name}"] = ((corrected.pk,), {})
    advised = why | {"policy": str(world.policy.pk), "version": "1", "days": "91", "threshold": "0.9"}
    for name in ("threshold_apply", "weights_learn", "weights_adopt", "weights_shadow", "weights_back"):
        found[f"feedback_{name}"] = ((), advised)
    found["feedback_what_if"] = ((), {"policy": str(world.policy.pk)})
    for name in ("take", "decide", "undo", "keep", "dwell", "heartbeat"):
        found[f"feedback_review_{name}"] = ((scene.keys[Case],), {"generation": "1", "verdict": "accept"})
    found["feedback_review_first"] = ((scene.keys[Case],), {"generation": "1", "answer": "a"})
    found["feedback_review_strike"] = ((scene.keys[Case], uuid4()), why)
    found["feedback_review_aside"] = ((scene.keys[Case], "skip"), why | {"generation": "1"})
    return found


def resume_request(scene: Scene) -> ResumeRequest:
    scene.world.tenant.resume_needs_two = True
    scene.world.tenant.save_as(system_actor(), "two")
    scope = switch.Scope(scene.world.tenant)
    switch.stop(scope, actor=system_actor(), reason="test")
    return switch.resume(scope, actor=scene.world.supervisor, reason="again").request


def change(scene: Scene) -> ChangeRequest:
    policy, asker = scene.world.policy, scene.world.person("asker", "tenant_admin")
    return ask(Wish("policy", scene.world.tenant, "change_policy", policy, {}, asker, "why"))


def correction(scene: Scene) -> Review:
    case = scene.world.submit()
    entry = claims.claim(case, scene.world.colleague)
    why = Submission("reject", notes="The policy says 30 days.")
    with pretend_now(db_now() - timedelta(hours=1)):
        return reviews.submit(case.pk, why, actor=scene.world.colleague, generation=entry.generation)


def token_key(scene: Scene) -> str:
    people.issue_token(scene.world.service, actor=system_actor())
    return scene.world.service.auth_token_set.latest("created").token_key


def alarm(scene: Scene) -> BreakerAlarm:
    rule = BreakerRule(tenant=scene.world.tenant, name="Rate", watches=BreakerRule.Watches.values[0])
    breakers.save_rule(rule, actor=system_actor(), reason="created")
    row = BreakerAlarm(tenant=scene.world.tenant, rule=rule, name="Rate", watches=rule.watches, direction="up")
    row.since = row.at = db_now()
    for name in ("n", "hits", "baseline", "low", "high", "statistic", "limit"):
        setattr(row, name, 1)
    row.trips = False
    row.save(force_insert=True)
    return row


BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("cases/", "POST"): {"domain": "billing", "user_question": "?"},
    ("cases/bulk/", "POST"): {"cases": [{"domain": "billing", "user_question": "?"}]},
    ("queues/claim/", "POST"): {"queue": "general"},
    ("actions/", "POST"): {"action": "issue_refund", "params": {"order_id": "o"}, "amount": "1.00", "currency": "USD"},
    ("exports/", "POST"): {"kind": "overrides", "format": "jsonl"},
    ("automation/stop/", "POST"): {"reason": "r"},
    ("automation/resume/", "POST"): {"reason": "r"},
    ("automation/recall/", "POST"): {"reason": "r", "since": "2027-01-01T00:00:00Z", "preview": True},
}


def test_the_api_answers_the_roles_that_the_matrix_names(scene):
    case, action = scene.world.tenant.cases.get(pk=scene.keys[Case]), ProposedAction.objects.get()
    export = scene.world.tenant.exports.get()
    wire_ids = {
        "case_id": case.wire_id,
        "action_id": action.wire_id,
        "export_id": export.wire_id,
        "weekly_id": export.wire_id,
    }
    lines = []

    def asks(line: Line, path: str, body: dict[str, Any], user: User) -> bool:
        return answers(user, line.what, path, body, is_work=line.right == WORKER)

    for line in matrix.route_lines():
        if line.right == AUTHORITY:
            continue  # tests/approvals/test_authority_matrix.py asks these, of every kind of person.
        route = line.name.removeprefix("/api/v1/")
        probes = [probe.body for probe in WITH_ID.get(route, ()) if probe.method == line.what]
        body = BODIES.get((route, line.what)) or (probes[0] if probes else None) or {}
        path = re.sub(r"<str:(\w+)>", lambda found: wire_ids[found[1]], route)
        lines.append((line, partial(asks, line, path, body)))
    assert not (wrong := wrong_lines(lines, scene, COLUMNS)), "\n".join(wrong)


def test_commands_act_for_the_roles_that_the_matrix_names(scene, tmp_path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"domain": "billing", "user_question": "?"}\n')
    labels = tmp_path / "labels.csv"
    labels.write_text(f"case_id,label\n{Case.objects.get(pk=scene.keys[Case]).wire_id},model_error\n")
    since = "2026-01-01T00:00:00+00:00"
    calls = {
        "automation resume --as": ("automation", "resume", "--tenant", "acme", "--reason", "r"),
        "automation recall --as": ("automation", "recall", "--tenant", "acme", "--since", since, "--reason", "r"),
        "replay --as": ("replay", str(cases), "--tenant", "acme"),
        "export_dataset --as": ("export_dataset", "acme", "overrides"),
        "import_labels --as": ("import_labels", str(labels), "--tenant", "acme"),
    }

    def runs(user: User, call: tuple[str, ...]) -> bool:
        with undone():
            try:
                call_command(*call, "--as", user.username, stdout=StringIO(), stderr=StringIO())
            except SystemExit:
                return True  # It did what it could, and says that a line of the file was not in order.
            except (CommandError, CountersignError) as error:
                return "may not" not in str(error)  # An export wants a transaction of its own, which this is not.
            return True

    lines = [(line, lambda user, line=line: runs(user, calls[line.name])) for line in matrix.command_lines()]
    assert not (wrong := wrong_lines(lines, scene, COLUMNS)), "\n".join(wrong)
