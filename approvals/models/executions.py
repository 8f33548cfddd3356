"""What a worker has to do with an action next, and what came of doing it."""

from django.conf import settings
from django.db import models

from cases.history import XactIdField
from cases.ids import new_id
from cases.models import Content

from .actions import ProposedAction
from .revisions import ActionPreview


class ActionJob(models.Model):
    """That a worker has something to do for an action, and when; what it is, the action's state says. Small and hot."""

    action = models.OneToOneField(ProposedAction, primary_key=True, on_delete=models.PROTECT, related_name="job")
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Of the present step.")
    waits_for = models.CharField(max_length=200, blank=True, default="", help_text="Why it is not done yet.")

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["due_at"], name="job_due"),)  # Read by jobs.lease_due.

    def __str__(self) -> str:
        return f"job of {self.action_id}"


class Execution(models.Model):
    """The one execution that an action may ever have; the key makes a second one impossible."""

    action = models.OneToOneField(ProposedAction, primary_key=True, on_delete=models.PROTECT, related_name="execution")
    preview = models.ForeignKey(ActionPreview, on_delete=models.PROTECT, related_name="+")
    payload_hash = models.BinaryField()
    claimed_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=1)
    may_have_arrived = models.BooleanField(
        default=True, help_text="Some request may have reached the executor. Said before each call, not after it."
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"execution of {self.action_id}"


class ExecutionResult(models.Model):
    """Append-only: what a call, a look-up or a person said of an execution. ``content``: ``{cause, detail}``."""

    class Source(models.TextChoices):
        CALL = "call", "The executor's answer"
        LOOK_UP = "look_up", "Looked up at the executor"
        PERSON = "person", "A person's finding"
        SYSTEM = "system", "The system"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="results")
    attempt = models.PositiveSmallIntegerField()
    source = models.CharField(max_length=7, choices=Source)
    state = models.CharField(max_length=8, help_text="executed, failed, unknown or absent.")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["execution", "id"], name="results_of_execution"),)  # Read by the action's page.

    def __str__(self) -> str:
        return f"{self.state} ({self.get_source_display()})"
