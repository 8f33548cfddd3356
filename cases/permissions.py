"""Who may do and see what: one question for every door.

Rights stand on the object that owns them (``Tenant``, ``Queue``, ``ApprovalAuthority``) as guardian permissions of the
tenant's role groups. A right counts only for an active member of the object's tenant.
"""

from functools import cache
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from .errors import NotPermitted
from .models import Case, Tenant, TenantGroupPermission, TenantUserPermission, User
from .models.tenants import SANDBOX_ID
from .statements import columns, fetch, instance
from .states import OPEN
from .vocabulary import Role

_LOOK = {"view_tenant", "view_case", "view_automation", "view_queue"}
_REVIEW = _LOOK | {"view_review", "view_policy"}
_SUPERVISE = _REVIEW | {
    "view_customer",
    "withdraw_case",
    "reopen_case",
    "stop_automation",
    "view_people",
    "view_metrics",
    "view_action",
    "export_data",
}

# Per role its rights on the tenant, and on each of the tenant's queues.
TENANT_RIGHTS: dict[Role, frozenset[str]] = {
    Role.REVIEWER: frozenset(_REVIEW),
    Role.SENIOR_REVIEWER: frozenset(_REVIEW | {"view_customer", "view_action", "label_review", "adjudicate_case"}),
    Role.APPROVER: frozenset(_REVIEW | {"view_customer", "view_action"}),
    Role.SUPERVISOR: frozenset(
        _SUPERVISE
        | {
            "change_queue",
            "resume_automation",
            "reconcile_action",
            "label_review",
            "adjudicate_case",
            "manage_challenges",
        }
    ),
    Role.COMPLIANCE: frozenset(
        _SUPERVISE - {"withdraw_case", "reopen_case"}
        | {"view_audit", "view_webhook", "manage_challenges", "erase_customer"}
    ),
    Role.TENANT_ADMIN: frozenset(
        _SUPERVISE
        | {
            "change_tenant",
            "change_policy",
            "change_people",
            "change_queue",
            "change_action",
            "reconcile_action",
            "resume_automation",
            "label_review",
            "view_webhook",
            "change_webhook",
            "view_audit",
            "erase_customer",
        }
    ),
    Role.INTEGRATION: frozenset(
        _LOOK | {"submit_case", "withdraw_case", "propose_action", "view_action", "view_customer"}
    ),
}
QUEUE_RIGHTS: dict[Role, frozenset[str]] = {
    Role.REVIEWER: frozenset({"work_queue"}),
    Role.SENIOR_REVIEWER: frozenset({"work_queue"}),
    Role.SUPERVISOR: frozenset({"work_queue", "supervise_queue"}),
}


# As text, since every request asks it: to put guardian's own queries together takes Python longer than all the rest of
# a small request. ``m`` is a membership of who is asked about; tests hold all of it against guardian.
_GRANTED = """(
    EXISTS (
        SELECT FROM {by_group} g
        JOIN auth_permission p ON p.id = g.permission_id AND p.codename = %s
        JOIN cases_user_groups u ON u.group_id = g.group_id
        WHERE g.content_object_id = {owner} AND u.user_id = m.user_id
    ) OR EXISTS (
        SELECT FROM {by_user} o
        JOIN auth_permission p ON p.id = o.permission_id AND p.codename = %s
        WHERE o.content_object_id = {owner} AND o.user_id = m.user_id
    )
)"""


def _granted(by_group: type[Model], by_user: type[Model], owner: str) -> str:
    """That the membership ``m`` brings a right on the row with the key ``owner``. Asks for the right twice."""
    return _GRANTED.format(by_group=by_group._meta.db_table, by_user=by_user._meta.db_table, owner=owner)


HELD = f"""
    SELECT m.tenant_id FROM cases_membership m
    WHERE m.user_id = %s AND m.is_active AND {_granted(TenantGroupPermission, TenantUserPermission, "m.tenant_id")}
"""

# What a request is about, of the places of a member. A test holds it against ``tenants_of``.
_PLACES = f"""
    SELECT {columns(Tenant, "t")} FROM ({HELD}) held JOIN cases_tenant t ON t.id = held.tenant_id
    WHERE t.is_active AND t.id <> '{SANDBOX_ID}' AND (%s = '' OR t.slug = %s) ORDER BY t.slug LIMIT 2
"""


@cache
def _is_granted(model: type[Model]) -> str:
    """Whether a user (first) is an active member of an active tenant (second) and holds a right (third, fifth) on a row
    of ``model`` (fourth, sixth)."""
    granted = _granted(get_group_obj_perms_model(model), get_user_obj_perms_model(model), "%s")
    return f"""
        SELECT EXISTS (
            SELECT FROM cases_membership m JOIN cases_tenant t ON t.id = m.tenant_id AND t.is_active
            WHERE m.user_id = %s AND m.tenant_id = %s AND m.is_active AND {granted}
        )
    """


def tenant_of(obj: Any) -> Tenant:
    return obj if isinstance(obj, Tenant) else obj.tenant


def allowed(actor: User, permission: str, obj: Model) -> bool:
    """Whether ``actor`` holds ``permission`` (its codename) on ``obj`` now. The system and superusers hold all."""
    if actor.is_system:
        return True
    if not actor.is_active:
        return False
    if actor.is_superuser:
        return True
    tenant_id = obj.pk if isinstance(obj, Tenant) else obj.tenant_id
    values = [actor.pk, tenant_id, permission, obj.pk, permission, obj.pk]
    return fetch(_is_granted(obj._meta.concrete_model), values)[0][0]


def require(actor: User, permission: str, obj: Model) -> None:
    """Raise ``Denied`` unless ``allowed``. The only gate that services ask."""
    if not allowed(actor, permission, obj):
        raise Denied(actor, permission, obj)


def require_platform(actor: User, permission: str) -> None:
    """Raise ``Denied`` unless ``actor`` may do what concerns every tenant at once: the system and superusers."""
    if not (actor.is_system or (actor.is_active and actor.is_superuser)):
        raise Denied(actor, permission, None)


class Denied(NotPermitted):
    """Carries what was asked, so that the door can keep it after the rollback (``audit.keep_denial``)."""

    code = "not_permitted"

    def __init__(self, actor: User, permission: str, obj: Model | None) -> None:
        """``obj`` is None for what concerns every tenant at once."""
        self.actor, self.permission, self.subject = actor, permission, obj
        if obj is None:
            super().__init__("You may not do this for every tenant at once. Nothing was changed. Ask a platform admin.")
            return
        words = dict(obj._meta.permissions).get(permission, permission)
        super().__init__(
            f"You may not do this here: it needs the right “{words}” on {obj._meta.verbose_name} {obj}. "
            "Nothing was changed. Ask a tenant admin."
        )


def tenants_of(actor: User, permission: str = "view_case") -> QuerySet[Tenant]:
    """The active tenants in which ``actor`` holds ``permission``; ``visible_to`` and every list stand on it."""
    tenants = Tenant.objects.filter(is_active=True)
    if actor.is_superuser or actor.is_system:
        return tenants
    if not actor.is_active:
        return tenants.none()
    return tenants.filter(pk__in=RawSQL(HELD, [actor.pk, permission, permission]))


def places_of(actor: User, permission: str, slug: str = "") -> list[Tenant]:
    """The first two of ``tenants_of``, or the one that ``slug`` names: enough to find it, or to ask which is meant."""
    if actor.is_superuser or not actor.is_active:  # Not a member's question, and rare.
        tenants = tenants_of(actor, permission)
        return list((tenants.filter(slug=slug) if slug else tenants)[:2])
    values = [actor.pk, permission, permission, slug, slug]
    return [instance(Tenant, row) for row in fetch(_PLACES, values)]


def visible_to(actor: User, cases: QuerySet[Case] | None = None) -> QuerySet[Case]:
    """The cases that ``actor`` may see. Service accounts never see a challenge or a probe: their id is a 404."""
    cases = Case.objects.all() if cases is None else cases
    cases = cases.filter(tenant__in=tenants_of(actor))
    return cases.real() if actor.is_service else cases


class Rights:
    """One actor's answers for the length of one request, so that a list asks once per tenant and not once per row."""

    def __init__(self, actor: User) -> None:
        self.actor = actor
        self._known: dict[tuple[str, Any], bool] = {}

    def allowed(self, permission: str, obj: Model) -> bool:
        key = (permission, obj.pk)
        if key not in self._known:
            self._known[key] = allowed(self.actor, permission, obj)
        return self._known[key]


def fields_visible_to(actor: User, case: Case, rights: Rights | None = None) -> frozenset[str]:
    """Which sensitive parts of ``case`` a door may show.

    ``customer`` unmasked; the caller's ``resume_token``; ``votes``: who voted, which nobody learns who may still have
    to vote. What each vote says is ``feedback.seeing``'s to tell.

    Doors that show many cases pass one ``Rights`` for all of them.
    """
    visible = set()
    if (rights or Rights(actor)).allowed("view_customer", case.tenant):
        visible.add("customer")
    if case.caller_id == actor.pk:
        visible.add("resume_token")
    if not actor.is_service and case.state not in OPEN:
        visible.add("votes")
    return frozenset(visible)
