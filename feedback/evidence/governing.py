"""Under which rules, and on whose authority: policies, roles, authorities, changes that two people made."""

from approvals.models import ApprovalAuthority, AuthorityGrant
from cases.models import ChangeRequest, Membership, PolicyVersion

from .tables import CHUNK, Rows, Section, Table, Window, in_force, within


def policy_versions(window: Window) -> Rows:
    versions = PolicyVersion.objects.filter(policy__tenant=window.tenant).select_related("policy", "published_by")
    for row in in_force(versions, window, of=("policy",), at="published_at"):
        yield {
            "policy": row.policy.domain or "every domain",
            "version": row.number,
            "in_force_from": row.published_at,
            "in_force_until": row.ended,
            "published_by": str(row.published_by),
            "reason": row.reason,
            "document": row.document,
        }


def changes(window: Window) -> Rows:
    asked = ChangeRequest.objects.filter(tenant=window.tenant, **within(window, "asked_at"))
    for row in asked.select_related("asked_by", "answer__by").order_by("asked_at", "pk").iterator(chunk_size=CHUNK):
        answer = getattr(row, "answer", None)
        yield {
            "subject": row.subject,
            "differences": row.differences,
            "asked_by": str(row.asked_by),
            "asked_at": row.asked_at,
            "reason": row.reason,
            "answer": answer.get_verdict_display() if answer else "none yet",
            "answered_by": str(answer.by) if answer else "",
            "answered_at": answer.at if answer else None,
        }


def roles(window: Window) -> Rows:
    known = Membership.history.model.objects.filter(tenant_id=window.tenant.pk).select_related("user")
    for row in in_force(known, window, of=("id",), at="history_date"):
        if row.is_active and row.history_type != "-":
            yield {
                "person": str(row.user),
                "account": row.user.username,
                "roles": sorted(row.roles),
                "held_from": row.history_date,
                "held_until": row.ended,
            }


def holdings(window: Window) -> Rows:
    grants = AuthorityGrant.objects.filter(authority__tenant=window.tenant)
    grants = grants.select_related("authority", "user", "group", "by")
    for row in in_force(grants, window, of=("authority", "user", "group"), at="at"):
        if row.is_granted:
            yield {
                "authority": row.authority.code,
                "holder": str(row.user) if row.user_id else f"the role {row.group.name.partition(':')[2]}",
                "held_from": row.at,
                "held_until": row.ended,
                "granted_by": str(row.by),
                "reason": row.reason,
            }


def authorities(window: Window) -> Rows:
    known = ApprovalAuthority.history.model.objects.filter(tenant_id=window.tenant.pk).select_related("action_type")
    for row in in_force(known, window, of=("id",), at="history_date"):
        if row.history_type != "-":
            yield {
                "authority": row.code,
                "name": row.name,
                "action": row.action_type.name,
                "max_amount": str(row.max_amount) if row.max_amount is not None else "",
                "currency": row.currency,
                "max_impact": row.max_impact,
                "is_active": row.is_active,
                "from": row.history_date,
                "until": row.ended,
            }


POLICIES = Section(
    "policies",
    "Policies in force",
    "Every version of every policy that judged drafts in the window, whole, with who published it, when and why.",
    "It does not show that the thresholds and conditions were well chosen.",
    (
        Table(
            "policy_versions",
            "Versions",
            ("policy", "version", "in_force_from", "in_force_until", "published_by", "reason", "document"),
            policy_versions,
        ),
        Table(
            "changes_by_two",
            "Changes for which a second person was asked",
            (
                "subject",
                "differences",
                "asked_by",
                "asked_at",
                "reason",
                "answer",
                "answered_by",
                "answered_at",
            ),
            changes,
        ),
    ),
)
AUTHORITY = Section(
    "authority",
    "Who held which authority",
    "Which person held which role, and who could approve which actions up to which amount, at each instant of the "
    "window.",
    "It does not show that these people were competent, rested or had enough time; their training is on other records.",
    (
        Table("roles", "Roles", ("person", "account", "roles", "held_from", "held_until"), roles),
        Table(
            "authority_holders",
            "Holders of approval authorities",
            ("authority", "holder", "held_from", "held_until", "granted_by", "reason"),
            holdings,
        ),
        Table(
            "authorities",
            "What each authority reached",
            ("authority", "name", "action", "max_amount", "currency", "max_impact", "is_active", "from", "until"),
            authorities,
        ),
    ),
)
