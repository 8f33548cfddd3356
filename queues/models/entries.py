"""The hot side: what waits, who has it, and what is left of it afterwards."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from cases.history import XactIdField
from cases.ids import new_id
from cases.models import Case, Tenant
from cases.vocabulary import Risk, Route

from .queues import Queue

GENERATIONS = "queues_generation"  # A sequence: a generation never returns, so that a stale claim can never fit again.

# ``routing.primary`` of an entry's language.
PRIMARY_LANGUAGE = models.Func(
    Lower("language"), models.Value("-"), models.Value(1), function="split_part", output_field=models.CharField()
)


class EntryQuerySet(models.QuerySet):
    def waiting(self) -> "EntryQuerySet":
        """Free to be claimed."""
        return self.filter(claimed_by=None, paused_at=None)

    def held(self) -> "EntryQuerySet":
        return self.exclude(claimed_by=None)

    def due_before(self, at) -> "EntryQuerySet":
        return self.filter(due_at__lt=at)

    def step_before(self, at) -> "EntryQuerySet":
        """Those that the sweep has to look at by ``at``: no other query finds a missed deadline or a step."""
        return self.filter(next_step_at__lte=at, next_step_at__isnull=False, paused_at=None)


class Entry(models.Model):
    """A case that a person has to look at. Deleted when it closes; a ``Passage`` keeps it. No history: it is hot."""

    class Kind(models.TextChoices):
        REVIEW = "review", "Review"
        AUDIT = "audit", "Sample of an automatic approval"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.REVIEW)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="entries")
    queue_reason = models.CharField(max_length=400)
    route = models.CharField(max_length=18, choices=Route)
    risk = models.CharField(max_length=8, choices=Risk)
    language = models.CharField(max_length=35)
    priority = models.SmallIntegerField(default=0, help_text="Higher goes first.")
    entered_at = models.DateTimeField()
    due_at = models.DateTimeField()
    breached_at = models.DateTimeField(null=True)
    clock = models.UUIDField(default=new_id, help_text="Names the deadline's clock: each step is taken once for each.")
    clock_started_at = models.DateTimeField(help_text="Since when its time passes: pauses move it as they move due_at.")
    share_done = models.PositiveSmallIntegerField(default=0, help_text="Percent: the share of the last step taken.")
    next_step_at = models.DateTimeField(null=True, help_text="When the sweep has to look at it again.")
    moves_when_free = models.BooleanField(
        default=False, help_text="Escalated while somebody held it: it moves when they let it go."
    )
    excluded = ArrayField(
        models.UUIDField(), default=list, help_text="Who may not take it: voters, people with a conflict of interest."
    )

    paused_at = models.DateTimeField(null=True)
    pause_reason = models.CharField(max_length=100, blank=True, default="")
    paused_seconds = models.PositiveIntegerField(default=0)

    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="held_entries"
    )
    claimed_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    generation = models.BigIntegerField(default=0)

    objects = EntryQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "entries"
        constraints = (
            models.UniqueConstraint(fields=("case",), name="one_open_entry_per_case"),
            models.CheckConstraint(
                condition=models.Q(claimed_by=None, claimed_at=None, lease_expires_at=None)
                | models.Q(
                    claimed_by__isnull=False, claimed_at__isnull=False, lease_expires_at__isnull=False, paused_at=None
                ),
                name="claims_have_a_lease",
            ),
        )
        indexes = (
            models.Index(  # Read by claims.claim_next: a line for each queue, in its order and under its condition.
                models.F("queue"),
                models.F("priority").desc(),
                models.F("due_at"),
                models.F("id"),
                name="entry_next",
                condition=models.Q(claimed_by=None, paused_at=None),
            ),
            models.Index(  # Read by claims.claim_next for who does not read every language.
                models.F("queue"),
                PRIMARY_LANGUAGE,
                models.F("priority").desc(),
                models.F("due_at"),
                models.F("id"),
                name="entry_next_to_read",
                condition=models.Q(claimed_by=None, paused_at=None),
            ),
            models.Index(  # Read by claims.claim_next (own first), the home page and claims.return_lost.
                fields=["claimed_by", "lease_expires_at"],
                name="entry_held",
                condition=models.Q(claimed_by__isnull=False),
            ),
            models.Index(  # Read by deadlines.sweep_deadlines and the health page.
                fields=["next_step_at"],
                name="entry_step",
                condition=models.Q(next_step_at__isnull=False, paused_at=None),
            ),
            models.Index(  # Read by deadlines.move_freed.
                fields=["id"], name="entry_moves_when_free", condition=models.Q(moves_when_free=True, claimed_by=None)
            ),
            models.Index(fields=["queue", "due_at"], name="entry_by_queue"),  # Read by the queue's page and its health.
        )

    def __str__(self) -> str:
        return f"{self.case} in {self.queue}"


class Claim(models.Model):
    """Who had an entry, from when until when, and how it ended."""

    class End(models.TextChoices):
        DECIDED = "decided", "Decided"
        RELEASED = "released", "Released"
        LOST = "lost", "Lease ran out"
        CLOSED = "closed", "Case left the queue"

    generation = models.BigIntegerField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="claims")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="claims")
    claimed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, choices=End, blank=True, default="")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["case", "generation"], name="claims_of_case"),  # Read by the timeline.
            models.Index(fields=["user", "-claimed_at"], name="claims_of_user"),  # Read by the reviewer's day.
        )

    def __str__(self) -> str:
        return f"{self.user} had {self.case}"


class Passage(models.Model):
    """Append-only: one stay of a case in a queue, written when it ends."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="The entry's.")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="passages")
    kind = models.CharField(max_length=6, choices=Entry.Kind)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="passages")
    route = models.CharField(max_length=18, choices=Route)
    entered_at = models.DateTimeField()
    due_at = models.DateTimeField()
    breached_at = models.DateTimeField(null=True)
    clock = models.UUIDField(null=True)
    clock_started_at = models.DateTimeField(null=True)
    share_done = models.PositiveSmallIntegerField(default=0)
    paused_seconds = models.PositiveIntegerField()
    left_at = models.DateTimeField()
    end = models.CharField(max_length=24, help_text="The event that ended it.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["case", "id"], name="passages_of_case"),  # Read by the timeline.
            models.Index(fields=["queue", "-left_at"], name="passages_of_queue"),  # Read by the queue's health.
        )

    def __str__(self) -> str:
        return f"{self.case} was in {self.queue}"
