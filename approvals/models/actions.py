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
from .types import ActionType


class ProposedAction(Tracked):
    """Waits for its preview and for people. Its parameters rest in ``content``; here stands what is decided on."""

    PREFIX = "act"

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
    may_run_alone = models.BooleanField(default=False)
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
            models.Index(fields=["case"], name="action_of_case"),  # Read by the review page.
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
        """``4200.00 USD``, with the digits that were proposed, or nothing."""
        return f"{self.content.text.get('amount', self.amount)} {self.currency}" if self.amount is not None else ""
