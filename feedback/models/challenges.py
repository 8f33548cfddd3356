"""Verification challenges: gold cases, the rules by which they are given out, and what became of each."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Case, Tenant
from cases.models.policies import DOMAIN_NAME
from cases.vocabulary import Verdict
from queues.models import Queue

from ..dose import DEFAULTS
from .reviews import Review

SHARE = (MinValueValidator(0.0), MaxValueValidator(0.5))


class Challenge(Tracked):
    """A gold case: what the caller would send, with an AI that is wrong, and what is right instead.

    ``body`` is an intake (DESIGN section 4) without its envelope; texts hold slots such as ``[[name1]]``, which
    ``slots`` defines and ``feedback.slots`` fills anew for every case that is made of it. No history of the body: it
    may come from a customer's case, and what is erased must be gone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="challenges")
    title = models.CharField(max_length=80, help_text="For those who keep the challenges; reviewers never see it.")
    domain = models.CharField(max_length=50, validators=[DOMAIN_NAME])
    body = models.JSONField(default=dict)
    slots = models.JSONField(default=dict, blank=True)
    right_verdicts = ArrayField(models.CharField(max_length=10, choices=Verdict), default=list)
    right_decision = models.CharField(max_length=100, blank=True, default="", help_text="Of an edit; empty: any.")
    must_contain = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, help_text="An edited answer says each of these."
    )
    must_not_contain = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, help_text="An edited answer says none of these."
    )
    right_answer = models.TextField(
        max_length=20_000, blank=True, default="", help_text="How a right answer could read; shown with the result."
    )
    least_similarity = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Percent that an edited answer shares with the right one. Empty: any.",
    )
    explanation = models.TextField(
        max_length=5_000, help_text="What is wrong, and how one can see it. Shown to the person afterwards."
    )
    source = models.ForeignKey(
        Case, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="The case it was made of."
    )
    is_active = models.BooleanField("in use", default=True)

    history = tracked(excluded_fields=["body", "slots", "right_answer", "must_contain", "must_not_contain"])

    class Meta:
        default_permissions = ()
        ordering = ("title",)
        constraints = (models.UniqueConstraint(fields=("tenant", "title"), name="challenge_titles_are_unique"),)
        indexes = (
            models.Index(  # Read by planting, when a challenge is due.
                fields=["tenant", "domain"], name="challenges_in_use", condition=Q(is_active=True)
            ),
        )

    def __str__(self) -> str:
        return self.title


class ChallengePolicy(Tracked):
    """How often challenges come, for a queue or for all of a tenant's queues that have no policy of their own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="challenge_policies")
    queue = models.ForeignKey(
        Queue, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: every other queue."
    )
    is_on = models.BooleanField("on", default=True)
    base_rate = models.FloatField(
        default=DEFAULTS.base_rate,
        validators=SHARE,
        help_text="Chance at each decided case that a challenge follows: 0.02 is 2 %.",
    )
    rate_after_miss = models.FloatField(
        default=DEFAULTS.rate_after_miss,
        validators=SHARE,
        help_text="The same while the person's last result is a miss.",
    )
    quiet_days = models.PositiveSmallIntegerField(
        default=DEFAULTS.quiet_days, help_text="After so many days without a challenge the next rate holds."
    )
    rate_after_quiet = models.FloatField(default=DEFAULTS.rate_after_quiet, validators=SHARE)
    least_minutes = models.PositiveIntegerField(
        "least minutes between two",
        default=DEFAULTS.least_minutes,
        help_text="Nobody is given two challenges sooner than this.",
    )
    most_per_day = models.PositiveSmallIntegerField(default=DEFAULTS.most_per_day, validators=[MinValueValidator(1)])
    pause_misses = models.PositiveSmallIntegerField(
        "misses that pause",
        default=DEFAULTS.pause_misses,
        help_text="A person with so many misses gets no cases. 0: nobody is paused.",
    )
    pause_among = models.PositiveSmallIntegerField(
        "among the last",
        default=DEFAULTS.pause_among,
        validators=[MinValueValidator(1)],
        help_text="Results that are looked at.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("queue__position", "id")
        verbose_name_plural = "challenge policies"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "queue"), nulls_distinct=False, name="one_challenge_policy_per_queue"
            ),
        )

    def __str__(self) -> str:
        return str(self.queue) if self.queue_id else "Every other queue"

    def clean(self) -> None:
        if self.pause_misses > self.pause_among:
            raise ValidationError({"pause_misses": "There cannot be more misses than results that are looked at."})


class ChallengePlan(models.Model):
    """A challenge that is about to come in for somebody: drawn at a decision of theirs, opened at ``due_at``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    domain = models.CharField(max_length=50, help_text="Of the case at which it was drawn.")
    due_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("tenant", "person"), name="one_challenge_at_a_time_for_a_person"),
        )
        indexes = (models.Index(fields=["due_at"], name="challenge_plans_due"),)  # Read by planting.open_due.

    def __str__(self) -> str:
        return f"A challenge for {self.person}"


class PlantedChallenge(models.Model):
    """Append-only: a challenge came in as ``case``, meant for ``person``. ``expected`` is what is right in it, with
    its slots filled, as the gold case said at that moment."""

    case = models.OneToOneField(Case, primary_key=True, on_delete=models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    challenge = models.ForeignKey(Challenge, on_delete=models.PROTECT, related_name="planted")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expected = models.JSONField()
    planted_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-planted_at"], name="planted_newest"),  # Read by the list and the sweep.
            models.Index(fields=["person", "-planted_at"], name="planted_for_person"),  # Read by the dose.
        )

    def __str__(self) -> str:
        return f"{self.challenge} as {self.case}"


class ChallengeResult(models.Model):
    """Append-only: how one person's review of a planted challenge was judged. Nobody else's page shows it but those of
    ``manage_challenges``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    planted = models.ForeignKey(PlantedChallenge, on_delete=models.PROTECT, related_name="results")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="+")
    is_caught = models.BooleanField("caught")
    why = ArrayField(models.CharField(max_length=400), default=list, help_text="What was missed, in words.")
    judged_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["person", "-judged_at"], name="results_of_person"),  # Read by the dose and one's page.
            models.Index(fields=["tenant", "-judged_at"], name="challenge_results_newest"),  # Read by the list.
        )

    def __str__(self) -> str:
        return f"{self.person}: {'caught' if self.is_caught else 'missed'}"


class ResultSeen(models.Model):
    """Append-only: the person has read the result and what was right."""

    result = models.OneToOneField(ChallengeResult, primary_key=True, on_delete=models.PROTECT, related_name="seen")
    at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Read at {self.at:%Y-%m-%d %H:%M}"


class TrainingAlert(Tracked):
    """A missed challenge, for the supervisors: somebody talks to the person, and says what came of it."""

    class Outcome(models.TextChoices):
        TALKED = "talked", "We talked about it"
        TRAINED = "trained", "Training was given"
        CHALLENGE_WRONG = "challenge_wrong", "The challenge was at fault"
        NOTHING = "nothing", "Nothing to do"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="training_alerts")
    result = models.OneToOneField(ChallengeResult, on_delete=models.PROTECT, related_name="alert")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    raised_at = models.DateTimeField()
    has_paused = models.BooleanField("paused the person", default=False)
    misses = models.PositiveSmallIntegerField(help_text="Among the last results, this one included.")
    among = models.PositiveSmallIntegerField()
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    seen_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=15, choices=Outcome, blank=True, default="")
    note = models.CharField(max_length=1_000, blank=True, default="")

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("-raised_at",)
        indexes = (
            models.Index(fields=["tenant", "-raised_at"], name="training_alerts_newest"),  # Read by the list.
            models.Index(  # Read by the dose: results that do not count, and where counting starts anew.
                fields=["person", "-closed_at"], name="training_alerts_of_person", condition=Q(closed_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"{self.person} missed a challenge"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
