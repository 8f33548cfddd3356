"""The demo world: what a visitor meets first."""

import json
import re
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from knox.crypto import hash_token
from knox.models import AuthToken
from pytest_django import DjangoDbBlocker

from approvals.models import ActionType, ApprovalAuthority
from cases.clock import db_now
from cases.models import Case, CaseEvent, Draft, PolicyVersion, RuleFailure, Tenant, User
from cases.permissions import allowed
from cases.services import intake
from cases.vocabulary import Role, Route
from cases.wire.intake import parse_intake
from config.demo.accounts import ITERATIONS, PLATFORM_ADMIN
from config.demo.world import PLANS, told
from config.welcome import FIRST_CASE
from feedback.models import Review
from queues.models import Claim, Entry, Queue, Reviewer
from queues.services import claims
from queues.services.fitness import fitness_of

SLUGS = [plan.slug for plan in PLANS]


def run(path: Path) -> str:
    said = StringIO()
    call_command("demo_world", accounts=path, stdout=said, stderr=StringIO())
    return said.getvalue()


@pytest.fixture(scope="module")
def accounts_file(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The world, loaded once for this file in a transaction that is rolled back after it."""
    path = tmp_path_factory.mktemp("demo") / "accounts.json"
    with django_db_blocker.unblock(), transaction.atomic():
        run(path)
        yield path
        transaction.set_rollback(True)


@pytest.fixture
def world(accounts_file: Path, db: None) -> dict[str, Any]:
    return json.loads(accounts_file.read_text())


def state_of_everything() -> dict[str, Any]:
    models = (Tenant, User, Case, Draft, CaseEvent, Entry, Claim, Review, AuthToken, Case.history.model)
    return {model.__name__: model.objects.count() for model in models} | {
        "passwords": sorted(User.objects.values_list("password", flat=True))
    }


@pytest.mark.parametrize("slug", SLUGS)
def test_each_tenant_has_some_sixty_cases_that_went_every_way(world: dict[str, Any], slug: str) -> None:
    cases = Case.objects.filter(tenant__slug=slug)
    assert 55 <= cases.count() <= 70
    states = Counter(cases.values_list("state", flat=True))
    assert set(states) >= {"auto_approved", "pending_review", "approved", "rejected", "withdrawn"}
    assert set(cases.values_list("current_draft__route", flat=True)) == set(Route.values)
    assert cases.values("language").distinct().count() >= 3
    assert cases.real().count() == len(list(told(slug)))
    confidences = cases.values_list("current_draft__confidence", flat=True)
    assert min(value for value in confidences if value) < 0.6 and max(confidences) > 0.97


def test_acme_leaves_the_visitor_something_of_each_kind_to_do(world: dict[str, Any]) -> None:
    waiting = Entry.objects.filter(tenant__slug="acme", kind=Entry.Kind.REVIEW).waiting()
    routes = Counter(waiting.values_list("route", flat=True))
    assert waiting.count() >= 15
    assert routes[Route.QUICK_REVIEW] >= 5 and routes[Route.FULL_INVESTIGATION] >= 5
    now = db_now()
    assert waiting.due_before(now).exclude(breached_at=None).count() >= 2
    assert waiting.filter(due_at__gt=now, due_at__lt=now + timedelta(hours=2)).count() >= 2
    assert Case.objects.filter(tenant__slug="acme", state="needs_edit").exists()
    assert CaseEvent.objects.filter(tenant__slug="acme", kind=CaseEvent.Kind.RECALLED).exists()


def test_nobody_holds_a_case_when_the_visitor_arrives(world: dict[str, Any]) -> None:
    assert not Entry.objects.held().exists()
    assert not Claim.objects.filter(ended_at=None).exists()


def test_what_happened_lies_in_the_past_and_in_order(world: dict[str, Any]) -> None:
    now = db_now()
    assert not CaseEvent.objects.filter(at__gt=now).exists()
    for case in Case.objects.prefetch_related("events"):
        moments = [event.at for event in sorted(case.events.all(), key=lambda event: event.id)]
        assert moments == sorted(moments), case
        assert moments[0] == case.opened_at
    dated = Case.history.filter(history_type="+").values_list("history_date", "opened_at")
    assert all(abs(dated_at - opened_at) < timedelta(seconds=1) for dated_at, opened_at in dated)


def test_every_reason_reads_like_a_sentence(world: dict[str, Any]) -> None:
    actions = ActionType.objects.values_list("name", flat=True)  # As the tenant's AI calls them.
    for draft in Draft.objects.select_related("case"):
        assert re.match(r"[A-Za-z]", draft.reason), draft.case
        rest = re.sub("|".join(actions), "", draft.reason)
        assert "_" not in rest and len(rest.split()) >= 3, draft.case
    for entry in Entry.objects.select_related("queue"):
        assert entry.queue_reason.startswith(f"{entry.queue.slug}: "), entry


def test_no_condition_of_a_policy_fails_on_any_case(world: dict[str, Any]) -> None:
    assert not RuleFailure.objects.exists()
    assert not Draft.objects.filter(policy_version=None).exists()
    assert PolicyVersion.objects.filter(policy__tenant__slug__in=SLUGS).count() == len(SLUGS)


def test_every_case_is_told_in_its_own_words(world: dict[str, Any]) -> None:
    for slug in SLUGS:
        stories = list(told(slug))
        assert len({story.question for story in stories}) >= 0.9 * len(stories)
        for story in stories:
            assert not re.search(r"\{\w+\}", json.dumps(story.payload(db_now()), ensure_ascii=False)), story.ref


def test_every_person_signs_in_to_the_admin(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", ITERATIONS)  # Nobody here waits for a stronger hash.
    for name, account in world["users"].items():
        answer = Client().post("/admin/login/", {"username": name, "password": account["password"], "next": "/admin/"})
        assert answer.status_code == 302 and answer["Location"] == "/admin/", name


def test_every_token_is_its_accounts(world: dict[str, Any]) -> None:
    for name, account in world["users"].items():
        assert holder_of(account["token"]).username == name
    for slug, tenant in world["tenants"].items():
        service = holder_of(tenant["token"])
        assert service.is_service and allowed(service, "submit_case", Tenant.objects.get(slug=slug))


def holder_of(token: str) -> User:
    return AuthToken.objects.select_related("user").get(digest=hash_token(token)).user


def test_acme_has_every_role_and_each_tenant_two_reviewers(world: dict[str, Any]) -> None:
    roles = {slug: Counter() for slug in [*SLUGS, None]}
    for account in world["users"].values():
        roles[account["tenant"]][account["role"]] += 1
    assert set(roles["acme"]) == set(Role.values) - {Role.INTEGRATION}
    assert all(roles[slug][Role.REVIEWER] >= 2 for slug in SLUGS)
    assert dict(roles[None]) == {PLATFORM_ADMIN: 1}


def test_every_queue_has_somebody_fit_for_it(world: dict[str, Any]) -> None:
    fit: dict[Any, int] = Counter()
    for reviewer in Reviewer.objects.select_related("user", "tenant"):
        fitness = fitness_of(reviewer.user, reviewer.tenant)
        fit.update(fitness.queue_ids)
    for queue in Queue.objects.all():
        assert fit[queue.pk] >= 1, queue


def test_authorities_are_held_by_people_and_not_by_the_assistant(world: dict[str, Any]) -> None:
    for authority in ApprovalAuthority.objects.select_related("tenant"):
        members = User.objects.filter(memberships__tenant=authority.tenant)
        holders = [user for user in members if allowed(user, "exercise", authority)]
        assert len(holders) >= 2 and all(user.is_person for user in holders), authority


def test_the_printed_first_case_goes_to_acmes_billing_people(world: dict[str, Any]) -> None:
    acme = Tenant.objects.get(slug="acme")
    receipt = intake.submit(parse_intake(FIRST_CASE), actor=User.objects.get(username="acme-integration"), tenant=acme)
    assert receipt.answers["queue"] == "billing-dispute"
    for name, account in world["users"].items():
        if account["tenant"] == "acme" and account["role"] == Role.REVIEWER:
            entry = claims.claim(receipt.case, User.objects.get(username=name))
            claims.release(receipt.case.pk, entry.claimed_by, entry.generation)


def test_second_start_changes_nothing(world: dict[str, Any], accounts_file: Path) -> None:
    before, kept = state_of_everything(), accounts_file.read_bytes()
    assert run(accounts_file).startswith("Kept")
    assert state_of_everything() == before
    assert accounts_file.read_bytes() == kept
    assert stat.S_IMODE(accounts_file.stat().st_mode) == 0o600


def test_lost_accounts_file_is_made_anew_and_the_cases_stay(world: dict[str, Any], tmp_path: Path) -> None:
    before = state_of_everything()
    run(tmp_path / "accounts.json")
    made = json.loads((tmp_path / "accounts.json").read_text())
    after = state_of_everything()
    assert before.pop("passwords") != after.pop("passwords") and before == after
    assert set(made["users"]) == set(world["users"])
    assert holder_of(made["users"]["ana"]["token"]).username == "ana"
    assert not AuthToken.objects.filter(token_key=world["users"]["ana"]["token"][:15]).exists()


def test_database_of_somebody_else_is_left_alone(db: None, tmp_path: Path) -> None:
    User.objects.all().exclude(pk=User.objects.get(username="system").pk).update(email="")
    if not Tenant.objects.exists():
        Tenant(slug="theirs", name="Theirs").save()
    before = state_of_everything()
    with pytest.raises(CommandError, match="did not make"):
        run(tmp_path / "accounts.json")
    assert state_of_everything() == before
    assert not (tmp_path / "accounts.json").exists()
