"""Where the audit trail comes from: each table, and what its columns say. One shape for all, as pieces of SQL.

``t`` is the table, ``up`` the row above it that knows the tenant or the case. A source without a tenant's order in
time (it has no index for it) is read for one case only, which has few rows of each.
"""

from dataclasses import dataclass
from functools import cache

from django.db.models import Model

from approvals.models import ActionTypeVersion, ActionVote, AuthorityGrant, ExecutionResult, ProposedAction
from cases.history import sealed_models
from cases.models import (
    AccessEvent,
    AuditRemoval,
    BreakerAlarm,
    BreakerReset,
    Case,
    CaseEvent,
    ChangeAnswer,
    ChangeRequest,
    CustomerNotice,
    DataView,
    Delivery,
    Denial,
    ErasureReceipt,
    HeadReceipt,
    Notice,
    PolicyVersion,
    Promise,
    Tenant,
)
from queues.models import Claim, Passage, StepFired

from ..models import CorrectionLabel, Review

CHALLENGES = "manage_challenges"


@dataclass(frozen=True)
class Source:
    """A table. ``at`` and ``who`` are columns; ``case`` is the case's key and ``tenant`` the tenant's, if it has any;
    ``case_is`` asks for the rows of the case ``%(case)s``, where an index wants that put otherwise. ``request`` is the
    id of the request, which the search finds; where the table grows with the work, it has an index for it.

    ``each``: what joins the row above, where a tenant's newest rows are found by the newest of each of its rows above,
    since the table itself knows no tenant and keeps no order for one.

    ``action`` is the key of a proposed action. ``hides_votes``: what tells that a row is a vote, which stays hidden
    while its question is open. ``right``: needed besides ``view_audit``; ``export_right``: to export its rows, for
    their bytes hold what no page shows.
    """

    model: type[Model]
    words: str
    at: str
    who: str = "NULL::uuid"
    behalf: str = "NULL::uuid"
    tenant: str = ""
    case: str = ""
    case_is: str = ""
    up: str = ""
    each: str = ""
    reason: str = "''"
    request: str = "''"
    text: str = "NULL::uuid"
    action: str = ""
    vote: str = ""
    only: str = ""
    right: str = ""
    export_right: str = ""
    is_sealed: bool = True

    @property
    def name(self) -> str:
        return self.model._meta.label_lower

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        return self.model._meta.pk.column

    @property
    def is_history(self) -> bool:
        return hasattr(self.model, "instance_type")


_OF_ACTION = 'JOIN approvals_proposedaction up ON up.id = t."action_id"'
_VOTES = ", ".join(f"'{kind}'" for kind in sorted(CaseEvent.OF_VOTES))

WRITTEN = (
    Source(
        CaseEvent,
        "Events",
        at="at",
        who="t.actor_id",
        tenant="t.tenant_id",
        case="t.case_id",
        request="t.request_id",
        text="t.note_id",
        vote=f"t.kind IN ({_VOTES}) AND t.actor_id <> %(me)s",
    ),
    Source(
        Review,
        "Reviews and votes",
        at="created_at",
        who="t.reviewer_id",
        tenant="t.tenant_id",
        case="t.case_id",
        reason="t.reason_code",
        vote=f"t.kind = '{Review.Kind.VOTE}' AND t.reviewer_id <> %(me)s",
    ),
    Source(
        DataView,
        "Views of data",
        at="at",
        who="t.actor_id",
        tenant="t.tenant_id",
        case="t.case_id",
        request="t.request_id",
    ),
    Source(
        Denial,
        "Refused attempts",
        at="at",
        who="t.actor_id",
        tenant="t.tenant_id",
        case="CASE WHEN t.subject LIKE 'cases.case:%%' THEN substring(t.subject FROM 12)::uuid END",
        case_is="t.subject = 'cases.case:' || %(case)s::uuid::text",
        request="t.request_id",
    ),
    Source(
        ChangeRequest,
        "Changes that need two people",
        at="asked_at",
        who="t.asked_by_id",
        tenant="t.tenant_id",
        reason="t.reason",
        request="t.request_id",
    ),
    Source(
        ChangeAnswer,
        "Answers of second people",
        at="at",
        who="t.by_id",
        up="JOIN cases_changerequest up ON up.id = t.request_id",
        tenant="up.tenant_id",
        reason="t.reason",
        request="t.request_ref",
    ),
    Source(
        PolicyVersion,
        "Versions of policies",
        at="published_at",
        who="t.published_by_id",
        up="JOIN cases_policy up ON up.id = t.policy_id",
        tenant="up.tenant_id",
        reason="t.reason",
    ),
    Source(
        ActionTypeVersion,
        "Versions of action types",
        at="published_at",
        who="t.published_by_id",
        up="JOIN approvals_actiontype up ON up.id = t.action_type_id",
        tenant="up.tenant_id",
    ),
    Source(
        AuthorityGrant,
        "Authorities given and taken",
        at="at",
        who="t.by_id",
        up="JOIN approvals_approvalauthority up ON up.id = t.authority_id",
        tenant="up.tenant_id",
        reason="t.reason",
    ),
    Source(
        CorrectionLabel,
        "Labels",
        at="at",
        who="t.labelled_by_id",
        up="JOIN feedback_review up ON up.id = t.review_id",
        tenant="t.tenant_id",
        case="up.case_id",
        text="t.note_id",
    ),
    Source(
        AccessEvent,
        "Sign-ins",
        at="at",
        who="t.actor_id",
        behalf="t.user_id",
        up="JOIN cases_membership up ON up.user_id = t.user_id",  # One door: its rows are those of each place.
        each="t.user_id = up.user_id",
        tenant="up.tenant_id",
        reason="t.reason",
        request="t.request_id",
        # A value and no join, which would cost the index its order.
        only="NOT (SELECT u.is_superuser FROM cases_user u WHERE u.id = t.user_id)",
    ),
    Source(BreakerAlarm, "Alarms of breakers", at="at", tenant="t.tenant_id"),
    Source(
        BreakerReset,
        "Alarms looked at",
        at="at",
        who="t.by_id",
        up="JOIN cases_breakeralarm up ON up.id = t.alarm_id",
        tenant="up.tenant_id",
        reason="t.reason",
    ),
    Source(
        Notice,
        "Notices to people and teams",
        at="created_at",
        behalf="t.user_id",
        tenant="t.tenant_id",
        case="CASE WHEN t.subject ~ '^case_[0-9a-f]{32}$' THEN substring(t.subject FROM 6)::uuid END",
        case_is="t.subject = 'case_' || replace(%(case)s::uuid::text, '-', '')",
        right="view_people",
        is_sealed=False,
    ),
    Source(
        ErasureReceipt,
        "Erasures",
        at="at",
        who="t.by_id",
        tenant="t.tenant_id",
        reason="t.reason",
        request="t.request_id",
        right="erase_customer",
    ),
    Source(HeadReceipt, "Published heads", at="at", tenant="t.tenant_id"),
    Source(
        AuditRemoval,
        "Removals of old audit rows",
        at="at",
        who="t.by_id",
        tenant="t.tenant_id",
        reason="t.reason",
        request="t.request_id",
    ),
    # --- read for one case only ---
    Source(
        ActionVote,
        "Signatures",
        at="at",
        who="t.voter_id",
        behalf="t.on_behalf_of_id",
        up=_OF_ACTION,
        case="up.case_id",
        text="t.reason_id",
        action="t.action_id",
    ),
    Source(
        ExecutionResult,
        "Executions",
        at="at",
        who="t.actor_id",
        up="JOIN approvals_proposedaction up ON up.id = t.execution_id",
        case="up.case_id",
        action="t.execution_id",
    ),
    Source(Passage, "Stays in queues", at="left_at", case="t.case_id"),
    Source(StepFired, "Steps of a deadline", at="at", case="t.case_id"),
    Source(Promise, "Promises to customers", at="told_at", case="t.case_id"),
    Source(
        Claim,
        "Who held it",
        at="claimed_at",
        who="t.user_id",
        case="t.case_id",
        vote="t.\"end\" = 'voted' AND t.user_id <> %(me)s",
        is_sealed=False,
    ),
    Source(CustomerNotice, "Messages to the customer", at="created_at", case="t.case_id", is_sealed=False),
    Source(
        Delivery,
        "Deliveries to webhooks",
        at="delivered_at",
        up="JOIN cases_caseevent up ON up.id = t.event_id",
        case="up.case_id",
        only="t.delivered_at IS NOT NULL",
        right="view_webhook",
        is_sealed=False,
    ),
)


def _of_history(model: type[Model]) -> Source:
    """The changes of one tracked model; what it was before is the row before."""
    tracked = model.instance_type
    names = {field.name for field in model._meta.concrete_fields}
    up = tenant = case = action = ""
    if tracked is Tenant:
        tenant = "t.id"
    elif "tenant" in names:
        tenant = "t.tenant_id"
    else:
        above = next(
            field
            for field in model._meta.concrete_fields
            if field.is_relation and any(f.name == "tenant" for f in field.related_model._meta.concrete_fields)
        )
        up = f'JOIN "{above.related_model._meta.db_table}" up ON up.id = t."{above.column}"'
        tenant = "up.tenant_id"
    if tracked is Case:
        case = "t.id"
    elif tracked is ProposedAction:
        case, action = "t.case_id", "t.id"
    is_of_challenges = tracked._meta.app_label == "feedback" and tracked.__name__ in (
        "Challenge",
        "ChallengePolicy",
        "TrainingAlert",
    )
    return Source(
        model,
        f"Changes of {tracked._meta.verbose_name_plural}",
        at="history_date",
        who="t.history_user_id",
        tenant=tenant,
        case=case,
        up=up,
        action=action,
        reason="t.history_change_reason",
        request="t.request_id",
        right=CHALLENGES if is_of_challenges else "",
        export_right=CHALLENGES if tracked is Case else "",
    )


@cache
def sources() -> tuple[Source, ...]:
    """Every source, in a fixed order, which breaks ties of time: a link to a page holds until the next migration."""
    histories = [_of_history(model) for model in sealed_models() if hasattr(model, "instance_type")]
    return (*WRITTEN, *histories)


@cache
def source_named(name: str) -> Source | None:
    return next((source for source in sources() if source.name == name), None)
