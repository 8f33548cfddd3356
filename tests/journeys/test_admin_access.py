"""Who gets into the back office, and what they find there: what is their tenants', and nothing of anybody else's."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import ActionType, ApprovalAuthority, ImpactRule, ProposedAction
from cases.admin.scoped import TenantScoped
from cases.models import (
    Case,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
    Delivery,
    Denial,
    ErasureReceipt,
    LegalHold,
    Membership,
    Notice,
    NoticeChannel,
    Policy,
    PolicyVersion,
    RetentionRule,
    SealPublishing,
    Tenant,
    User,
    WebhookEndpoint,
)
from cases.models.people import system_actor
from cases.permissions import TENANT_RIGHTS, Denied, allowed
from cases.rights import read_rights
from cases.services import holds
from cases.services.audit import keep_denial
from cases.services.notices import News, tell
from cases.signing import new_secret
from cases.vocabulary import Role
from config.home import home_of
from feedback.drift.causes import Parts
from feedback.drift.findings import Finding
from feedback.kinds import Kind
from feedback.models import (
    BlindFirstPolicy,
    Challenge,
    ChallengePolicy,
    ChallengeResult,
    DriftAlert,
    DriftLook,
    DwellPolicy,
    EvidencePack,
    Export,
    FrictionCap,
    PlantedChallenge,
    Push,
    PushTarget,
    TextSnippet,
    ThresholdEvidence,
    TrainingAlert,
)
from feedback.services import evidence_packs, exports
from queues.models import BusinessCalendar, Consultation, Entry, Queue, Reviewer, ReviewerSkill, Skill, SlaPolicy
from queues.services import claims, consults
from queues.services.staffing import with_staff
from tests.feedback import challenging
from tests.worlds import PASSWORD, World, make_world

pytestmark = pytest.mark.django_db
INLINE = re.compile(r"<[^>]+\sstyle=|<style|<[^>]+\son[a-z]+=|<script(?![^>]*\ssrc=)")


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def furnish(world: World) -> dict[type[Model], Any]:
    """One row of every model that the back office shows, all of ``world``'s tenant; returns the key of each."""
    tenant, system = world.tenant, system_actor()
    endpoint = WebhookEndpoint(tenant=tenant, url=f"https://{tenant.slug}.example/hook", secret=new_secret())
    endpoint.save_as(system, "created")
    kind = ActionType(tenant=tenant, name="issue_refund", title=f"Refund {tenant.slug}", schema={"type": "object"})
    kind.save_as(system, "created")
    ImpactRule(action_type=kind, condition="amount < 50.0", impact="low").save_as(system, "created")
    authority = ApprovalAuthority(tenant=tenant, code="small", name=f"Small {tenant.slug}", action_type=kind)
    authority.save_as(system, "created")
    calendar = BusinessCalendar(tenant=tenant, name=f"Office {tenant.slug}")
    calendar.save_as(system, "created")
    world.queue.sla_policy.calendar = calendar
    world.queue.sla_policy.save_as(system, "office hours")
    skill = Skill(tenant=tenant, code="tax", name=f"Tax {tenant.slug}")
    skill.save_as(system, "created")
    reviewer = Reviewer.objects.get(user=world.reviewer)
    ReviewerSkill(reviewer=reviewer, skill=skill).save_as(system, "created")
    action = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "10.00", "currency": "USD"}
    case = world.submit(external_id=f"ext-{tenant.slug}", proposed_action=action)
    world.submit(external_id=f"two-{tenant.slug}")
    world.claim()
    asked = claims.claim(world.submit(), world.colleague)
    consults.ask(asked.case_id, world.colleague, asked.generation, colleague=world.reviewer, question="May I?")
    keep_denial(Denied(world.reviewer, "change_policy", tenant))
    snippet = TextSnippet(tenant=tenant, key="late", text=f"It is late at {tenant.slug}.")
    snippet.save_as(system, "created")
    channel = NoticeChannel(tenant=tenant, name=f"Team {tenant.slug}", email=f"team@{tenant.slug}.example")
    channel.save_as(system, "created")
    tell([News(tenant.pk, "sla.warn", f"Due in {tenant.slug}.", f"key-{tenant.slug}")])
    target = PushTarget(tenant=tenant, system="langfuse", name=f"Langfuse {tenant.slug}", url="https://x.example")
    target.save_as(system, "created")
    export = exports.request(tenant, kind=Kind.GOLDEN_EVALS, format="langfuse", actor=world.supervisor)
    push = Push.objects.create(
        tenant=tenant,
        export=export,
        target=target,
        requested_by=world.supervisor,
        requested_at=export.requested_at,
        next_attempt_at=export.requested_at,
    )
    publishing = SealPublishing(tenant=tenant)
    publishing.save_as(system, "created")
    rules = CustomerNoticeSettings(tenant=tenant, is_on=True)
    rules.save_as(system, "created")
    text = CustomerTemplate(tenant=tenant, occasion="received", subject="{company}", text=f"{tenant.slug} {{opt_out}}")
    text.save_as(system, "created")
    world.submit(customer={"email": f"anna@{tenant.slug}.example"}, external_id=f"three-{tenant.slug}")
    evidence = ThresholdEvidence.objects.create(
        tenant=tenant,
        policy_version=PolicyVersion.objects.get(policy=world.policy),
        kind=ThresholdEvidence.Kind.THRESHOLD,
        since=export.requested_at,
        until=export.requested_at,
        cases=3,
        tolerated_error=0.02,
        threshold_before=0.95,
        threshold_after=0.9,
        report={"words": f"At 0.90 in {tenant.slug}."},
        applied_by=world.supervisor,
        applied_at=export.requested_at,
    )
    release = case.current_draft.release
    finding = Finding("override_rate", 90, 60, 0.1, 0.3, 0.2, 0.1, 0.3, 0.001, 1.0, 1.0, Parts(0, 0, 0, 0.2, ()), None)
    drift = DriftAlert.objects.create(
        tenant=tenant,
        release=release,
        at=export.requested_at,
        report=finding.to_json(),
        **{name: getattr(finding, name) for name in DriftAlert.OF_THE_FINDING},
    )
    DriftLook.objects.create(release=release, tenant=tenant, looked_at=export.requested_at)
    opened = export.requested_at - timedelta(hours=2)
    pack = evidence_packs.request(tenant, since=opened, until=export.requested_at, actor=world.compliance)
    hold = holds.place(tenant, case=case, reason=f"Hold of {tenant.slug}", actor=system)
    periods = RetentionRule(tenant=tenant, case_days=3_650)
    periods.save_as(system, "created")
    receipt = ErasureReceipt.objects.create(
        tenant=tenant, cause="request", reason=f"Letter to {tenant.slug}", by=system, at=export.requested_at
    )
    return {
        DriftAlert: drift.pk,
        EvidencePack: pack.pk,
        LegalHold: hold.pk,
        RetentionRule: periods.pk,
        ErasureReceipt: receipt.pk,
        ThresholdEvidence: evidence.pk,
        **challenged(world),
        Export: export.pk,
        SealPublishing: publishing.pk,
        PushTarget: target.pk,
        Push: push.pk,
        Tenant: tenant.pk,
        Membership: Membership.objects.get(user=world.reviewer).pk,
        User: world.reviewer.pk,
        Policy: world.policy.pk,
        PolicyVersion: PolicyVersion.objects.get(policy=world.policy).pk,
        Case: case.pk,
        WebhookEndpoint: endpoint.pk,
        Delivery: Delivery.objects.filter(endpoint=endpoint).first().pk,
        Denial: Denial.objects.get(tenant=tenant).pk,
        Queue: world.queue.pk,
        SlaPolicy: world.queue.sla_policy.pk,
        BusinessCalendar: calendar.pk,
        Skill: skill.pk,
        Reviewer: reviewer.pk,
        Entry: Entry.objects.get(case=case).pk,
        Consultation: Consultation.objects.get(tenant=tenant).pk,
        ActionType: kind.pk,
        ApprovalAuthority: authority.pk,
        ProposedAction: ProposedAction.objects.get(case=case).pk,
        TextSnippet: snippet.pk,
        NoticeChannel: channel.pk,
        Notice: Notice.objects.get(channel=channel, kind="sla.warn").pk,
        CustomerNoticeSettings: rules.pk,
        CustomerTemplate: text.pk,
        CustomerNotice: CustomerNotice.objects.get(tenant=tenant).pk,
    }


def challenged(world: World) -> dict[type[Model], Any]:
    """A missed challenge and what goes with it, of ``world``'s tenant."""
    tenant, system = world.tenant, system_actor()
    challenging.real_cases(world)
    pat = world.person("pat", Role.REVIEWER, reviews=True)
    result = challenging.missed(world, pat, title=f"Gold of {tenant.slug}")
    cap = FrictionCap(tenant=tenant, percent=10)
    cap.save_as(system, "created")
    dwell = DwellPolicy(tenant=tenant)
    dwell.save_as(system, "created")
    blind = BlindFirstPolicy(tenant=tenant, percent=0, percent_risky=0, percent_on_record=0)
    blind.save_as(system, "created")
    rule = ChallengePolicy(tenant=tenant, base_rate=0.0, rate_after_quiet=0.0, rate_after_miss=0.0)
    rule.save_as(system, "created")
    return {
        BlindFirstPolicy: blind.pk,
        Challenge: result.planted.challenge_id,
        ChallengePolicy: rule.pk,
        ChallengeResult: result.pk,
        DwellPolicy: dwell.pk,
        FrictionCap: cap.pk,
        PlantedChallenge: result.planted_id,
        TrainingAlert: result.alert.pk,
    }


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def answer(response: HttpResponse, key: Any) -> tuple[int, str, list[str]]:
    """What an outsider can tell by a response: status, target and message, with the key that they asked for blanked."""
    said = [str(message).replace(str(key), "KEY") for message in get_messages(response.wsgi_request)]
    return response.status_code, response.get("Location", ""), said


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


@pytest.fixture
def everybody(world) -> dict[str, User]:
    """One person of each human role in acme, and the platform's admin."""
    people = {
        role.value: world.person(f"the-{role}", role, reviews="reviewer" in role)
        for role in Role
        if role != Role.INTEGRATION
    }
    olga = User(username="olga", is_superuser=True, is_staff=True)
    olga.save()
    return people | {"platform_admin": olga}


@pytest.fixture
def outsider(db) -> User:
    """Somebody who may do everything, in another tenant."""
    other = make_world("other")
    furnish(other)
    return other.person(
        "oscar", Role.SUPERVISOR, Role.COMPLIANCE, Role.TENANT_ADMIN, Role.SENIOR_REVIEWER, reviews=True
    )


# --- getting in -----------------------------------------------------------------------------------------------------


def test_a_person_signs_in_with_a_password(world):
    response = Client().post(reverse("admin:login"), {"username": "rita@acme", "password": PASSWORD, "next": "/admin/"})
    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_a_member_without_the_staff_flag_gets_in(world):
    User.objects.filter(pk=world.reviewer.pk).update(is_staff=False)
    world.reviewer.refresh_from_db()
    assert sign_in(world.reviewer).get("/admin/").status_code == 200


def test_a_service_account_cannot_sign_in_even_with_a_password(world):
    world.service.set_password(PASSWORD)
    world.service.save()
    response = Client().post(reverse("admin:login"), {"username": world.service.username, "password": PASSWORD})
    assert response.status_code == 200
    assert "correct username and password" in response.content.decode()
    assert sign_in(world.service).get("/admin/").status_code == 302


def test_somebody_who_belongs_nowhere_stays_outside(db):
    stranger = User(username="stranger", is_staff=True)
    stranger.save()
    assert sign_in(stranger).get("/admin/")["Location"].startswith("/admin/login/")


def test_a_membership_that_ended_ends_the_visit(world):
    client = sign_in(world.reviewer)
    assert client.get("/admin/").status_code == 200
    Membership.objects.filter(user=world.reviewer).update(is_active=False)
    assert client.get("/admin/").status_code == 302


# --- what is drawn agrees with what is allowed -----------------------------------------------------------------------


def test_the_rights_that_pages_draw_by_are_those_that_services_ask_for(world, everybody, outsider):
    every_right = sorted(set().union(*TENANT_RIGHTS.values()))
    closed = make_world("closed", is_active=False)
    for user in [*everybody.values(), outsider, world.service, closed.reviewer]:
        held = read_rights(user)
        for tenant in Tenant.objects.all():
            drawn = [right for right in every_right if held.has(right, tenant.pk)]
            assert drawn == [right for right in every_right if allowed(user, right, tenant)], (user, tenant)


# --- nobody else's ----------------------------------------------------------------------------------------------------


def test_every_page_of_ours_is_scoped(db):
    ours = [
        model for model in admin.site._registry if model._meta.app_label in ("cases", "queues", "approvals", "feedback")
    ]
    assert len(ours) >= 19
    assert all(isinstance(admin.site._registry[model], TenantScoped) for model in ours)


def test_an_outsiders_lists_hold_nothing_of_the_tenant(world, outsider):
    keys = furnish(world)
    client = sign_in(outsider)
    for model in [*keys, *_models("automationswitch", "review")]:
        page = client.get(address(model, "changelist"))
        assert page.status_code == 200, model
        text = page.content.decode()
        assert "acme" not in text.lower(), model
        assert model not in keys or str(keys[model]) not in text or isinstance(keys[model], int), model


def test_an_outsider_cannot_tell_another_tenants_row_from_one_that_does_not_exist(world, outsider):
    keys = furnish(world)
    for model, key in keys.items():
        missing = 987654321 if isinstance(key, int) else uuid4()
        for page in ("change", "history", "delete"):
            theirs = answer(sign_in(outsider).get(address(model, page, key)), key)
            nobodys = answer(sign_in(outsider).get(address(model, page, missing)), missing)
            assert theirs == nobodys, (model, page)
            assert theirs[0] in (302, 403), (model, page)
        assert answer(sign_in(outsider).post(address(model, "change", key), {"reason": "x"}), key) == answer(
            sign_in(outsider).post(address(model, "change", missing), {"reason": "x"}), missing
        ), model


def test_an_outsiders_actions_do_not_reach_the_tenant(world, outsider):
    keys = furnish(world)
    client = sign_in(outsider)
    posts = {
        reverse("admin:cases_case_act", args=[keys[Case], "withdraw"]): {"reason": "mine now"},
        reverse("admin:cases_webhookendpoint_new_secret", args=[keys[WebhookEndpoint]]): {},
        reverse("admin:cases_delivery_resend", args=[keys[Delivery]]): {},
        reverse("admin:feedback_evidencepack_cancel", args=[keys[EvidencePack]]): {},
        reverse("admin:feedback_export_cancel", args=[keys[Export]]): {},
        reverse("admin:feedback_export_push", args=[keys[Export]]): {"target": str(keys[PushTarget])},
        reverse("admin:queues_entry_take_back", args=[Entry.objects.get(claimed_by=world.reviewer).pk]): {},
        reverse("admin:auth_user_password_change", args=[keys[User]]): {"password1": PASSWORD, "password2": PASSWORD},
        reverse("admin:cases_noticechannel_test", args=[keys[NoticeChannel]]): {},
        reverse("admin:cases_notice_resend", args=[keys[Notice]]): {},
    }
    before = _fingerprint(world)
    for url, data in posts.items():
        assert client.post(url, data).status_code in (302, 404), url
    own = {"where": str(world.tenant.pk), "depth": "1", "reason": "x", "stop": "1"}
    assert (
        "Select a valid choice"
        in client.post(address(_models("automationswitch")[0], "changelist"), own).content.decode()
    )
    assert _fingerprint(world) == before


def _fingerprint(world: World) -> tuple:
    return (
        list(Case.objects.filter(tenant=world.tenant).order_by("pk").values_list("state", flat=True)),
        list(Export.objects.filter(tenant=world.tenant).values_list("state", flat=True)),
        list(WebhookEndpoint.objects.filter(tenant=world.tenant).values_list("secret", flat=True)),
        list(Entry.objects.filter(tenant=world.tenant).order_by("pk").values_list("claimed_by", flat=True)),
        User.objects.get(pk=world.reviewer.pk).password,
    )


def test_choices_on_a_form_are_the_tenants_own(world, outsider):
    furnish(world)
    client = sign_in(outsider)
    for model in (Queue, SlaPolicy, Reviewer, Membership, ApprovalAuthority, Policy, User, Skill, NoticeChannel):
        text = client.get(address(model, "add")).content.decode()
        assert "acme" not in text.lower(), model


def test_a_row_cannot_be_linked_to_another_tenants(world, outsider):
    keys = furnish(world)
    queue = Queue.objects.get(tenant__slug="other")
    data = {"name": "Linked", "position": 1, "skill_level": 1, "required_reviews": 1, "reason": "x"}
    data |= {"sla_policy": str(keys[SlaPolicy]), "seen": queue.history.latest("history_id").pk, "is_fallback": "on"}
    response = sign_in(outsider).post(address(Queue, "change", queue.pk), data)
    assert "Select a valid choice" in response.content.decode()


def test_somebody_of_two_tenants_is_changed_by_none_of_them_alone(world, outsider):
    keys = furnish(world)
    admin_of_acme = world.person("tara", Role.TENANT_ADMIN)
    Membership(user=world.reviewer, tenant=Tenant.objects.get(slug="other"), roles=[]).save_as(system_actor(), "guest")
    url = reverse("admin:auth_user_password_change", args=[keys[User]])
    assert sign_in(admin_of_acme).get(url).status_code == 403
    assert sign_in(outsider).get(url).status_code == 403


# --- what each role finds ---------------------------------------------------------------------------------------------


def test_every_role_gets_every_page_without_a_fault_or_a_breach_of_the_content_policy(world, everybody):
    keys = furnish(world)
    for role, user in everybody.items():
        client = sign_in(user)
        pages = ["/admin/", "/admin/everything/", address(_models("automationswitch")[0], "changelist")]
        for model, key in keys.items():
            pages += [address(model, "changelist"), address(model, "add"), address(model, "change", key)]
            pages += [address(model, "history", key)]
        for url in pages:
            response = client.get(url)
            assert response.status_code in (200, 302, 403), (role, url)
            if response.status_code == 200:
                found = INLINE.search(response.content.decode())
                assert found is None, (role, url, found)


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("reviewer", ["Take the next case", "Your queues"]),
        ("approver", ["Actions that wait for your signature"]),
        ("supervisor", ["Stop or resume", "On shift", "Held now"]),
        ("compliance", ["Find a case", "Refused lately", "What happened last"]),
        ("tenant_admin", ["Automation", "Refused lately"]),
        ("platform_admin", ["Tenants"]),
    ],
)
def test_the_home_page_is_the_roles_own_and_no_list_of_tables(world, everybody, role, sees):
    furnish(world)
    text = sign_in(everybody[role]).get("/admin/").content.decode()
    assert [words for words in sees if words not in text] == []
    assert "app-cases" not in text


def test_a_reviewer_may_change_nothing(world, everybody):
    keys = furnish(world)
    client = sign_in(everybody["reviewer"])
    for model, key in keys.items():
        assert client.get(address(model, "add")).status_code == 403, model
        assert client.post(address(model, "change", key), {"reason": "x"}).status_code == 403, model


def test_nothing_is_deleted_that_something_refers_to(world, everybody):
    keys = furnish(world)
    del keys[TextSnippet]  # Nothing refers to one: a review keeps the text itself.
    for model, key in keys.items():
        response = sign_in(everybody["tenant_admin"]).post(address(model, "delete", key), {"post": "yes"})
        assert response.status_code in (200, 403), model
        assert model.objects.filter(pk=key).exists(), model


# --- quick enough ---------------------------------------------------------------------------------------------------


def test_home_asks_at_most_sixteen_queries_however_much_there_is(world, everybody):
    # Most for a tenant admin, who has three sections (floor, actions, audit), each of tables of its own.
    furnish(world)
    counts = {}
    for size in (1, 12):
        for number in range(size):
            world.submit(external_id=f"{size}-{number}")
            keep_denial(Denied(world.reviewer, "change_policy", world.tenant))
        for role, user in everybody.items():
            client = sign_in(user)
            client.get("/admin/")
            with CaptureQueriesContext(
                connection,
            ) as queries:
                client.get("/admin/")
            counts.setdefault(role, []).append(len(queries))
    assert all(few == many <= 16 for few, many in counts.values()), counts


def test_home_counts_what_the_queue_holds(world):
    for number in range(3):
        world.submit(external_id=f"case-{number}")
    world.claim()
    home = home_of(world.supervisor, read_rights(world.supervisor))
    (queue,) = home.floor.queues
    assert (queue.waiting, queue.held, queue.overdue, queue.staff) == (2, 1, 0, 2)
    assert [entry.claimed_by for entry in home.floor.held] == [world.reviewer]
    assert with_staff(Queue.objects.filter(pk=queue.pk)).get().on_shift == 2


def test_home_tells_a_reviewer_their_day(world):
    from feedback.services import reviews
    from feedback.submission import Submission

    world.submit()
    entry = world.claim()
    reviews.submit(entry.case_id, Submission(verdict="accept"), actor=world.reviewer, generation=entry.generation)
    desk = home_of(world.reviewer, read_rights(world.reviewer)).desk
    assert (desk.decided, desk.waiting, list(desk.held)) == (1, 0, [])
    assert desk.median_minutes < 1


def _models(*names: str) -> list[type[Model]]:
    return [model for model in admin.site._registry if model._meta.model_name in names]
