"""What people did with a case besides deciding it: who set it aside and why, who was asked what."""

from django.conf import settings
from django.db import models

from cases.history import XactIdField
from cases.ids import new_id
from cases.models import Case, Content, Tenant

from .queues import Queue


class Aside(models.Model):
    """Append-only: somebody set a case aside. The reason is free text, and rests in ``reason``.

    Declining is read again whenever the case comes back to people: a conflict of interest does not end.
    """

    class Kind(models.TextChoices):
        SKIP = "skip", "Skipped"
        SNOOZE = "snooze", "Snoozed"
        DECLINE = "decline", "Declined for a conflict of interest"
        HAND_UP = "hand_up", "Escalated"
        RELEASE = "release", "Given back"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="asides")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=7, choices=Kind)
    at = models.DateTimeField()
    until = models.DateTimeField(null=True)
    reason = models.ForeignKey(Content, null=True, on_delete=models.PROTECT, related_name="+")
    reason_digest = models.BinaryField(null=True)
    generation = models.BigIntegerField(help_text="Of the claim that it ended.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["case", "kind"], name="asides_of_case"),  # Read by entries.open_entries and the page.
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display().lower()}"


class Consultation(models.Model):
    """A question to a colleague about a case, whose clock stands meanwhile, and at most until ``answer_by``."""

    class End(models.TextChoices):
        ANSWERED = "answered", "Answered"
        LAPSED = "lapsed", "No answer in time"
        STOPPED = "stopped", "No longer waited for"
        CLOSED = "closed", "The case has moved on"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="consultations")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    colleague = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    question = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    answer = models.ForeignKey(Content, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    answer_by = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    end = models.CharField(max_length=8, choices=End, blank=True, default="")

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("case",), condition=models.Q(ended_at=None), name="one_open_question_per_case"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None, end="") | (models.Q(ended_at__isnull=False) & ~models.Q(end="")),
                name="ended_questions_say_how",
            ),
        )
        indexes = (
            models.Index(fields=["case", "-id"], name="questions_of_case"),  # Read by the review page.
            models.Index(fields=["tenant", "-id"], name="questions_of_tenant"),  # Read by the list of questions.
            models.Index(  # Read by the list of a colleague's open questions.
                fields=["colleague", "answer_by"], name="questions_open", condition=models.Q(ended_at=None)
            ),
            models.Index(  # Read by consults.sweep_consultations.
                fields=["answer_by"], name="questions_by_time", condition=models.Q(ended_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"{self.asker} asked {self.colleague} about {self.case}"

    @property
    def is_open(self) -> bool:
        return self.ended_at is None
