"""A structured action that the AI wants done."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from cases.fsm import transition_for
from cases.history import Tracked, tracked
from cases.ids import new_id, to_wire
from cases.models import Case, Content, Tenant
from cases.vocabulary import Risk

from .. import states
from ..binding import amount_text
from .types import ActionType


class ProposedAction(Tracked):
    """Waits for its preview and for people. Its parameters rest in ``content``; here stands what is decided on."""

    PREFIX = "act"
    PROBLEM_LENGTH = 300

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="actions")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="actions")
    action_type = models.ForeignKey(
        ActionType,
        null=True,
        on_delete=models.PROTECT,
        related_name="actions",
        help_text="None: the tenant has no such type.",
    )
    name = models.CharField(max_length=50, help_text="As proposed.")
    state = FSMField(max_length=16, choices=states.ActionState, default=states.ActionState.PROPOSED, protected=True)
    revision = models.PositiveSmallIntegerField(default=1)
    amount = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    impact = models.CharField(max_length=8, choices=Risk)
    required_approvals = models.PositiveSmallIntegerField()
    authority_code = models.CharField(max_length=50, blank=True, default="", help_text="Only this one may approve.")
    may_run_alone = models.BooleanField(default=False)
    policy_version = models.PositiveIntegerField(default=0, help_text="Of the type's rules that judged it.")
    payload_hash = models.BinaryField(null=True, help_text="SHA-256 of the bytes that are approved. Null before.")
    current_preview = models.ForeignKey(
        "approvals.ActionPreview", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    editor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who wrote the current revision, if not its proposer.",
    )
    decide_minutes = models.PositiveIntegerField(default=240, help_text="The approvers' time, from the preview on.")
    decide_by = models.DateTimeField(null=True, blank=True, help_text="The approvers' deadline.")
    problem = models.CharField(
        max_length=PROBLEM_LENGTH, blank=True, default="", help_text="What went wrong last, in words of ours."
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")

    history = tracked()

    preview = transition_for(states.MOVES, "preview")
    preview_failed = transition_for(states.MOVES, "preview_failed")
    retry_preview = transition_for(states.MOVES, "retry_preview")
    ask_approval = transition_for(states.MOVES, "ask_approval")
    run_alone = transition_for(states.MOVES, "run_alone")
    approve = transition_for(states.MOVES, "approve")
    reject = transition_for(states.MOVES, "reject")
    edit = transition_for(states.MOVES, "edit")
    drift = transition_for(states.MOVES, "drift")
    revoke = transition_for(states.MOVES, "revoke")
    execute = transition_for(states.MOVES, "execute")
    succeed = transition_for(states.MOVES, "succeed")
    fail = transition_for(states.MOVES, "fail")
    lose_track = transition_for(states.MOVES, "lose_track")
    resend = transition_for(states.MOVES, "resend")
    expire = transition_for(states.MOVES, "expire")
    cancel = transition_for(states.MOVES, "cancel")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "state", "-id"], name="action_by_state"),  # Read by the approver's list.
            models.Index(fields=["action_type", "-id"], name="action_of_type"),  # Read by the approve page and trials.
            models.Index(fields=["case"], name="action_of_case"),  # Read by the review page.
            models.Index(  # Read by the approvers' home.
                fields=["tenant", "decide_by"],
                name="action_to_approve",
                condition=models.Q(state=states.ActionState.PENDING_APPROVAL),
            ),
            models.Index(  # Read by lifetimes.expire_due.
                fields=["expires_at"], name="action_expiry", condition=models.Q(state__in=states.BEFORE_EXECUTION)
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.money}".strip()

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)

    @property
    def is_terminal(self) -> bool:
        return self.state in states.TERMINAL

    @property
    def money(self) -> str:
        """``4200.00 USD``, with the digits of its currency, or nothing."""
        return f"{amount_text(self.amount, self.currency)} {self.currency}" if self.amount is not None else ""
