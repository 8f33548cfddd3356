"""The hot side: what waits, who has it, and what is left of it afterwards."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import RawSQL
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


# One point of priority is worth 48 minutes of deadline, a step of ten (low to medium, medium to high) eight hours: one
# shift. This keeps the least urgent case from starving: what comes in later is due later, so that a case moves up
# by standing still. A case that nobody takes is passed by no newcomer any more once it is
# (MOST_PRIORITY - its priority) * 48 minutes past its deadline: 32 hours for a low risk, 8 for a critical one.
MINUTES_A_POINT = 48
LEAST_PRIORITY, MOST_PRIORITY = -10, 40  # What lies beyond counts as these: the bound holds whoever sets priorities.

# A deadline that was past on arrival counts from the arrival, or an old date would buy a place before everybody. By way
# of UTC wall clock, as PostgreSQL takes no arithmetic on time zones into a stored column.
RANK = (
    "((greatest(due_at, entered_at) AT TIME ZONE 'UTC') - make_interval(mins => "
    f"{MINUTES_A_POINT} * greatest({LEAST_PRIORITY}, least(priority, {MOST_PRIORITY})))) AT TIME ZONE 'UTC'"
)
FREE = models.Q(claimed_by=None, paused_at=None, kept_for=None)
SPARING = models.Q(kind="second") | models.Q(spares_until__isnull=False)
NARROWED = models.Q(for_adjudicator=True) | ~models.Q(excluded=[])  # Not everybody who works its queue may have it.


class EntryQuerySet(models.QuerySet):
    def waiting(self) -> "EntryQuerySet":
        """Free to be claimed."""
        return self.filter(FREE)

    def by_urgency(self) -> "EntryQuerySet":
        """In the order in which they are given out."""
        return self.order_by("ranked_at", "id")

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
        SECOND = "second", "Second look at a decision"

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

    for_adjudicator = models.BooleanField(
        default=False, help_text="Reviewers disagree: only who may adjudicate is offered it."
    )

    spares_until = models.DateTimeField(
        null=True, help_text="A further vote: until then it is not given to whose share of such work is used up."
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

    kept_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="kept_entries",
        help_text="Whose it is without a claim: they set it aside, or were given it.",
    )
    back_at = models.DateTimeField(null=True, help_text="From then on the person is offered it, before anything else.")
    kept_until = models.DateTimeField(null=True, help_text="From then on it is anybody's.")
    passed_by = ArrayField(models.UUIDField(), default=list, help_text="Who skipped it, until the round is over.")
    passed_at = models.DateTimeField(null=True, help_text="The latest skip of this round.")

    ranked_at = models.GeneratedField(expression=RawSQL(RANK, []), output_field=models.DateTimeField(), db_persist=True)

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
            models.CheckConstraint(
                condition=models.Q(kept_for=None, back_at=None, kept_until=None)
                | models.Q(
                    kept_for__isnull=False,
                    back_at__isnull=False,
                    kept_until__gt=models.F("back_at"),
                    claimed_by=None,
                    paused_at=None,
                ),
                name="kept_cases_come_back",
            ),
        )
        indexes = (
            models.Index(  # Read by claims.claim_next: a line for each queue, in its order and under its condition.
                models.F("queue"),
                models.F("ranked_at"),
                models.F("id"),
                name="entry_next",
                condition=FREE,
            ),
            models.Index(  # Read by claims.claim_next for who does not read every language.
                models.F("queue"),
                PRIMARY_LANGUAGE,
                models.F("ranked_at"),
                models.F("id"),
                name="entry_next_to_read",
                condition=FREE,
            ),
            models.Index(  # Read by stranded.barred.
                fields=["queue", "ranked_at"], name="entry_narrowed", condition=FREE & NARROWED
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
            models.Index(  # Read by fitness (what is back), claims.claim_next and keeping.sweep_kept.
                fields=["kept_for", "back_at"], name="entry_kept", condition=models.Q(kept_for__isnull=False)
            ),
            models.Index(  # Read by keeping.sweep_passed.
                fields=["passed_at"], name="entry_passed", condition=models.Q(passed_at__isnull=False)
            ),
            models.Index(  # Read by fitness: whether anything waits that asks for the cap on friction.
                fields=["tenant"], name="entry_sparing", condition=FREE & SPARING
            ),
            models.Index(fields=["queue", "due_at"], name="entry_by_queue"),  # Read by the queue's page and its health.
        )

    def __str__(self) -> str:
        return f"{self.case} in {self.queue}"


class Claim(models.Model):
    """Who had an entry, from when until when, and how it ended."""

    class End(models.TextChoices):
        DECIDED = "decided", "Decided"
        VOTED = "voted", "Voted"
        RELEASED = "released", "Released"
        LOST = "lost", "Lease ran out"
        CLOSED = "closed", "Case left the queue"
        SKIPPED = "skipped", "Skipped"
        SNOOZED = "snoozed", "Snoozed"
        ASKED = "asked", "Colleague asked"
        DECLINED = "declined", "Declined"
        RAISED = "raised", "Escalated"
        TAKEN = "taken", "Taken back"

    generation = models.BigIntegerField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="claims")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="claims")
    claimed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, choices=End, blank=True, default="")
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The supervisor who ended it. Nobody: its holder, the case or the clock did.",
    )
    place = models.PositiveSmallIntegerField(
        default=1, help_text="Which of the person's places it takes: two claims at once cannot take the same one."
    )

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("user", "tenant", "place"), condition=models.Q(ended_at=None), name="one_case_to_a_place"
            ),
        )
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
