"""What a demo tenant consists of, and how it is set up through the same services that staff use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from approvals.models import ActionType, ApprovalAuthority, ImpactRule
from approvals.services import authorities
from approvals.services.types import publish
from cases.history import Tracked
from cases.models import Policy, Tenant, TriggerCondition, User
from cases.rules import DEFAULT_RULES
from cases.services import people, policies, switch
from cases.vocabulary import Role
from config.demo.filters import keep_filters
from config.demo.ledger_link import LedgerLink
from queues.models import BusinessCalendar, Queue, Reviewer, ReviewerSkill, Skill, SlaPolicy
from queues.services.setup import save_queue

REASON = "demo world"
GOES_LIVE = "The pilot went well: automation goes live"


@dataclass(frozen=True)
class Person:
    """``skills`` are codes with levels 1 to 5; who has any, or languages, reviews. ``exercises``: authorities."""

    username: str
    first_name: str
    last_name: str
    role: Role
    languages: tuple[str, ...] = ()
    skills: Mapping[str, int] = field(default_factory=dict)
    exercises: tuple[str, ...] = ()


@dataclass(frozen=True)
class Action:
    """``rules`` are (condition in CEL, impact, approvals, minutes valid, may run alone); the first counts."""

    name: str
    title: str
    schema: Mapping[str, Any]
    rules: tuple[tuple[str, str, int, int, bool], ...]


@dataclass(frozen=True)
class Authority:
    """``held_by`` are the roles whose group may exercise it."""

    code: str
    name: str
    action: str
    max_impact: str
    max_amount: str | None = None
    held_by: tuple[Role, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A tenant on paper. Of its queues the fallback comes first, and an escalation target before who names it."""

    slug: str
    name: str
    settings: Mapping[str, Any]
    policy: Mapping[str, Any]
    conditions: tuple[tuple[str, str, str], ...]
    calendar: Mapping[str, Any]
    slas: Mapping[str, tuple[int, str]]
    skills: Mapping[str, str]
    queues: tuple[Mapping[str, Any], ...]
    people: tuple[Person, ...]
    actions: tuple[Action, ...] = ()
    authorities: tuple[Authority, ...] = ()

    @property
    def service(self) -> str:
        """The username of its service account."""
        return f"{self.slug}-integration"


def set_up(plan: Plan, users: Mapping[str, User], *, actor: User) -> Tenant:
    """Create the tenant of ``plan`` with everything but cases. ``users`` holds its people and its service account."""
    tenant = people.create_tenant(actor=actor, slug=plan.slug, name=plan.name, **plan.settings)
    _publish(plan, tenant, actor)
    skills = {code: _saved(Skill(tenant=tenant, code=code, name=name), actor) for code, name in plan.skills.items()}
    _open_queues(plan, tenant, skills, actor)
    people.assign_roles(users[plan.service], tenant, [Role.INTEGRATION], actor=actor)
    for person in plan.people:
        people.assign_roles(users[person.username], tenant, [person.role], actor=actor)
        keep_filters(users[person.username], person.role)
        if person.languages or person.skills:
            _enlist(person, users[person.username], tenant, skills, actor)
    _authorise(plan, tenant, users, actor)
    switch.resume(switch.Scope(tenant), actor=actor, reason=GOES_LIVE)
    return tenant


def _saved(row: Tracked, actor: User) -> Any:
    """Checked as a form would check it, but for what the database checks itself: links and uniqueness."""
    row.clean_fields(exclude={field.name for field in row._meta.fields if field.is_relation})
    row.clean()
    row.save_as(actor, REASON)
    return row


def _publish(plan: Plan, tenant: Tenant, actor: User) -> None:
    policy = _saved(Policy(tenant=tenant, **plan.policy), actor)
    standard = [(rule.name, rule.trigger, rule.expression) for rule in DEFAULT_RULES.conditions]
    for position, (name, trigger, expression) in enumerate([*standard, *plan.conditions]):
        condition = TriggerCondition(
            policy=policy, position=position, name=name, trigger=trigger, expression=expression
        )
        _saved(condition, actor)
    policies.publish(policy, actor=actor, reason="First policy, agreed with operations and compliance")


def _open_queues(plan: Plan, tenant: Tenant, skills: Mapping[str, Skill], actor: User) -> None:
    calendar = _saved(BusinessCalendar(tenant=tenant, name="Office hours", **plan.calendar), actor)
    slas = {}
    for name, (amount, unit) in plan.slas.items():
        hours = calendar if unit == SlaPolicy.Unit.BUSINESS_DAYS else None
        slas[name] = _saved(SlaPolicy(tenant=tenant, name=name, amount=amount, unit=unit, calendar=hours), actor)
    opened: dict[str, Queue] = {}
    for position, sketch in enumerate(plan.queues, start=1):
        fields = dict(sketch)
        queue = Queue(
            tenant=tenant,
            position=position * 10,
            sla_policy=slas[fields.pop("sla")],
            skill=skills.get(fields.pop("skill", "")),
            escalation_target=opened.get(fields.pop("escalates_to", "")),
            **fields,
        )
        opened[queue.slug] = save_queue(queue, actor, REASON)


def _enlist(person: Person, user: User, tenant: Tenant, skills: Mapping[str, Skill], actor: User) -> None:
    reviewer = _saved(Reviewer(tenant=tenant, user=user, languages=list(person.languages)), actor)
    for code, level in person.skills.items():
        _saved(ReviewerSkill(reviewer=reviewer, skill=skills[code], level=level), actor)


def _authorise(plan: Plan, tenant: Tenant, users: Mapping[str, User], actor: User) -> None:
    types, ledger = {}, LedgerLink.of()
    executor = ledger.fields(plan.slug) if ledger else {}
    for action in plan.actions:
        schema = {"type": "object", "additionalProperties": True} | dict(action.schema)
        row = ActionType(tenant=tenant, name=action.name, title=action.title, schema=schema, **executor)
        types[action.name] = _saved(row, actor)
        for position, (condition, impact, approvals, minutes, alone) in enumerate(action.rules):
            rule = ImpactRule(
                action_type=row,
                position=position,
                condition=condition,
                impact=impact,
                approvals=approvals,
                valid_minutes=minutes,
                may_run_alone=alone,
            )
            _saved(rule, actor)
        publish(row, actor=actor, reason=REASON)
    for sketch in plan.authorities:
        authority = ApprovalAuthority(
            tenant=tenant,
            code=sketch.code,
            name=sketch.name,
            action_type=types[sketch.action],
            max_impact=sketch.max_impact,
            max_amount=sketch.max_amount,
            currency="USD" if sketch.max_amount else "",
        )
        _saved(authority, actor)
        for role in sketch.held_by:
            authorities.grant(authority, people.role_group(tenant, role), actor=actor, reason=REASON)
        for person in plan.people:
            if sketch.code in person.exercises:
                authorities.grant(authority, users[person.username], actor=actor, reason=REASON)
