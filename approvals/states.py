"""The states of a proposed action; like a case's, the FSM and the database trigger are built from here."""

from django.db.models import TextChoices

from cases.states import Move


class ActionState(TextChoices):
    PROPOSED = "proposed", "Proposed"
    PREVIEW_FAILED = "preview_failed", "Preview failed"
    PREVIEWED = "previewed", "Previewed"
    PENDING_APPROVAL = "pending_approval", "Waiting for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXECUTING = "executing", "Executing"
    EXECUTED = "executed", "Executed"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Result unknown"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


S = ActionState
INITIAL = (S.PROPOSED,)
BEFORE_EXECUTION = (S.PROPOSED, S.PREVIEW_FAILED, S.PREVIEWED, S.PENDING_APPROVAL, S.APPROVED)
TERMINAL = (S.REJECTED, S.EXECUTED, S.FAILED, S.EXPIRED, S.CANCELLED)

MOVES = (
    Move("preview", (S.PROPOSED,), S.PREVIEWED, "the dry run answered"),
    Move("preview_failed", (S.PROPOSED,), S.PREVIEW_FAILED, "the dry run failed"),
    Move("retry_preview", (S.PREVIEW_FAILED,), S.PROPOSED, "the dry run is tried again"),
    Move("ask_approval", (S.PREVIEWED,), S.PENDING_APPROVAL, "a person has to approve"),
    Move("run_alone", (S.PREVIEWED,), S.APPROVED, "the policy lets it run alone and the switch is on"),
    Move("approve", (S.PENDING_APPROVAL,), S.APPROVED, "enough approvals of the same bytes"),
    Move("reject", (S.PENDING_APPROVAL,), S.REJECTED, "a person with the authority rejected it"),
    Move("edit", (S.PENDING_APPROVAL, S.PREVIEW_FAILED), S.PROPOSED, "a new revision needs a new preview"),
    Move("drift", (S.PENDING_APPROVAL, S.APPROVED), S.PROPOSED, "what was shown or approved no longer holds"),
    Move("revoke", (S.APPROVED,), S.PENDING_APPROVAL, "undone, or the authority was revoked"),
    Move("execute", (S.APPROVED,), S.EXECUTING, "claimed by the executor"),
    Move("succeed", (S.EXECUTING, S.UNKNOWN), S.EXECUTED, "the executor said so, or a person reconciled it"),
    Move("fail", (S.EXECUTING, S.UNKNOWN), S.FAILED, "the executor said so, or a person reconciled it"),
    Move("lose_track", (S.EXECUTING,), S.UNKNOWN, "the answer was ambiguous"),
    Move("resend", (S.UNKNOWN,), S.EXECUTING, "sent again under the same key"),
    Move("expire", BEFORE_EXECUTION, S.EXPIRED, "its time to live ended"),
    Move("cancel", BEFORE_EXECUTION, S.CANCELLED, "its case ended without approval, or its caller cancelled"),
)
