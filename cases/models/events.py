"""The timeline that people read and the outbox that webhooks are sent from."""

from django.conf import settings
from django.db import models

from ..history import XactIdField
from ..ids import new_id, to_wire
from .tenants import Tenant


class CaseEvent(models.Model):
    """Append-only: what happened, who, when, with what. No free text: that rests in ``note``."""

    class Kind(models.TextChoices):
        OPENED = "case.opened", "Opened"
        AUTO_APPROVED = "case.auto_approved", "Approved automatically"
        DRAFT_REQUESTED = "case.draft_requested", "New draft requested"
        DRAFT_RECEIVED = "case.draft_received", "New draft received"
        REDRAFT_OVERDUE = "case.redraft_overdue", "No new draft came in time"
        DECIDED = "case.decided", "Decided"
        UNDONE = "case.undone", "Decision undone"
        VOTED = "case.voted", "Vote given"
        VOTE_UNDONE = "case.vote_undone", "Vote taken back"
        SPLIT = "case.split", "Reviewers disagree"
        SECOND_LOOK = "case.second_look", "Second look asked for"
        LOOKED_AGAIN = "case.looked_again", "Second look done"
        RECALLED = "case.recalled", "Recalled"
        REOPENED = "case.reopened", "Reopened"
        WITHDRAWN = "case.withdrawn", "Withdrawn"
        ESCALATED = "case.escalated", "A person was asked for"
        SATISFACTION = "case.satisfaction", "Satisfaction reported"
        AUDITED = "case.audited", "Automatic approval confirmed"
        SLA_BREACHED = "case.sla_breached", "Deadline missed"
        SKIPPED = "case.skipped", "Skipped"
        SNOOZED = "case.snoozed", "Snoozed"
        DECLINED = "case.declined", "Declined for a conflict"
        CONSULTED = "case.consulted", "Colleague asked"
        CONSULT_ENDED = "case.consult_ended", "Question to a colleague ended"
        TAKEN_BACK = "case.taken_back", "Taken back"
        ASSIGNED = "case.assigned", "Given to a person"
        DEADLINE_SET = "case.deadline_set", "Deadline changed by hand"
        HANDED_UP = "case.handed_up", "Escalated by its reviewer"
        PRIORITISED = "case.prioritised", "Priority set"
        CUSTOMER_TOLD = "case.customer_told", "Customer told"
        CUSTOMER_NOT_TOLD = "case.customer_not_told", "Customer could not be told"
        ACTION_PENDING = "action.pending", "Action waits for approval"
        ACTION_APPROVED = "action.approved", "Action approved"
        ACTION_REJECTED = "action.rejected", "Action rejected"
        ACTION_EXECUTED = "action.executed", "Action executed"
        ACTION_FAILED = "action.failed", "Action failed"
        ACTION_UNKNOWN = "action.unknown", "Action's result unknown"
        ACTION_EXPIRED = "action.expired", "Action expired"
        ACTION_CANCELLED = "action.cancelled", "Action cancelled"
        ACTION_SIGNED = "action.signed", "Action signed"
        ACTION_UNSIGNED = "action.unsigned", "Approval no longer stands"
        ACTION_EDITED = "action.edited", "Action edited"
        ACTION_DRIFTED = "action.drifted", "Action changed since it was shown"
        ACTION_SENT = "action.sent", "Action sent to its executor"
        AUTOMATION_STOPPED = "automation.stopped", "Automation stopped"
        AUTOMATION_RESUMED = "automation.resumed", "Automation resumed"
        EXPORT_READY = "export.ready", "Export ready"
        EXPORT_REQUESTED = "export.requested", "Export requested"
        EXPORT_CANCELLED = "export.cancelled", "Export cancelled"
        EXPORT_FAILED = "export.failed", "Export failed"
        EXPORT_DOWNLOADED = "export.downloaded", "Export downloaded"
        EXPORT_PUSHED = "export.pushed", "Export pushed to another system"
        AUDIT_HEAD = "audit.head", "Head of the audit trail published"
        AUDIT_EXPORTED = "audit.exported", "Part of the audit trail exported"
        ERASED = "case.erased", "Texts erased"
        CUSTOMER_REPORTED = "customer.reported", "Access report of a customer made"

    # Told to people in the timeline, and to nobody else.
    INTERNAL = frozenset(
        {
            Kind.DRAFT_RECEIVED,
            Kind.REDRAFT_OVERDUE,
            Kind.UNDONE,
            Kind.VOTED,
            Kind.VOTE_UNDONE,
            Kind.SPLIT,
            Kind.SECOND_LOOK,
            Kind.LOOKED_AGAIN,
            Kind.ESCALATED,
            Kind.SATISFACTION,
            Kind.AUDITED,
            Kind.SKIPPED,
            Kind.SNOOZED,
            Kind.DECLINED,
            Kind.CONSULTED,
            Kind.CONSULT_ENDED,
            Kind.TAKEN_BACK,
            Kind.ASSIGNED,
            Kind.DEADLINE_SET,
            Kind.HANDED_UP,
            Kind.PRIORITISED,
            Kind.CUSTOMER_TOLD,
            Kind.CUSTOMER_NOT_TOLD,
            Kind.ACTION_CANCELLED,
            Kind.ACTION_SIGNED,
            Kind.ACTION_UNSIGNED,
            Kind.ACTION_EDITED,
            Kind.ACTION_DRIFTED,
            Kind.ACTION_SENT,
            Kind.EXPORT_REQUESTED,
            Kind.EXPORT_CANCELLED,
            Kind.EXPORT_FAILED,
            Kind.EXPORT_DOWNLOADED,
            Kind.EXPORT_PUSHED,
            Kind.AUDIT_EXPORTED,
            Kind.ERASED,
            Kind.CUSTOMER_REPORTED,
        }
    )

    # Hidden from whoever may still have to vote: see ``permissions.fields_visible_to``.
    OF_VOTES = frozenset({Kind.VOTED, Kind.VOTE_UNDONE, Kind.SPLIT})

    PREFIX = "evt"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, on_delete=models.PROTECT, related_name="+", help_text="None: all tenants."
    )
    case = models.ForeignKey("cases.Case", null=True, on_delete=models.PROTECT, related_name="events")
    subject = models.CharField(
        max_length=60, blank=True, default="", help_text="The wire id of what else it is about: an action, an export."
    )
    kind = models.CharField(max_length=24, choices=Kind)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)
    note = models.OneToOneField("cases.Content", null=True, on_delete=models.PROTECT, related_name="+")
    note_digest = models.BinaryField(null=True)
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["case", "id"], name="event_timeline"),  # Read by the timeline.
            models.Index(
                fields=["tenant", "-at", "-id"], name="event_by_time"
            ),  # Read by the search of the audit trail.
            models.Index(fields=["tenant", "-id"], name="event_newest"),  # Read by the audit section.
            # Read by the audit trail: one person's, one kind, what an action or an export is about.
            models.Index(fields=["actor", "-at", "-id"], name="event_by_person"),
            models.Index(fields=["tenant", "kind", "-at", "-id"], name="event_by_kind"),
            models.Index(fields=["subject", "-at", "-id"], name="event_by_subject", condition=~models.Q(subject="")),
            models.Index(fields=["request_id"], name="event_by_request", condition=~models.Q(request_id="")),
            models.Index(  # Read by breaker_facts: what breakers count, in the order of commits.
                fields=["tenant", "xid", "id"],
                name="event_by_commit",
                condition=models.Q(kind__in=["case.opened", "case.decided", "case.audited"]),
            ),
        )

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)

    @property
    def is_public(self) -> bool:
        return self.kind not in self.INTERNAL
