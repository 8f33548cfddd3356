"""Breakers: what each watches, how far it has read, what it has seen, and what it raised."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ..breaker import Direction
from ..history import Tracked, XactIdField, tracked
from ..ids import new_id
from ..vocabulary import Role
from .policies import DOMAIN_NAME
from .tenants import Tenant

LEAST_SHIFT, MOST_SHARE_SHIFT = 0.02, 0.5


def default_tells() -> list[str]:
    return [Role.SUPERVISOR.value]


class BreakerRule(Tracked):
    """What a tenant watches. Saved through ``services.breakers.save_rule``, which begins anew if the test changes."""

    class Watches(models.TextChoices):
        OVERRIDES = "overrides", "Overrides: people's decisions in which the AI's word did not stand"
        DENIALS = "denials", "Denials: the AI's decisions that are the one named below"
        ESCALATIONS = "escalations", "Escalations: new cases that triage sent to people, whatever the switch says"
        AUTOMATIC = "automatic", "Automatic approvals: new cases that passed by themselves, or would with automation on"
        TOOL_FAILURES = "tool_failures", "Tool failures: new cases with tools of which one failed"
        VOLUME = "volume", "Volume: new cases in each slot of time"

    class Looks(models.TextChoices):
        RISE = "rise", "A rise"
        FALL = "fall", "A fall"
        BOTH = "both", "A rise or a fall"

    class Action(models.TextChoices):
        ALARM = "alarm", "Alarm people"
        TRIP = "trip", "Alarm people and stop automation in the domain"

    # Another value of one of these is another test: what was seen so far says nothing about it.
    OF_THE_TEST = (
        "watches",
        "looks",
        "domain",
        "decision",
        "by_domain",
        "by_decision",
        "by_release",
        "baseline",
        "baseline_cases",
        "shift",
        "false_alarm_every",
        "slot_minutes",
        "is_active",
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="breaker_rules")
    name = models.CharField(max_length=60)
    watches = models.CharField(max_length=13, choices=Watches)
    looks = models.CharField("looks for", max_length=4, choices=Looks, default=Looks.RISE)
    domain = models.CharField(
        max_length=50, blank=True, default="", validators=[DOMAIN_NAME], help_text="Empty: all domains."
    )
    decision = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Of denials: the model's decision that counts as one, such as “deny”. "
        "Of everything else: only cases with this decision of the model; empty, all cases.",
    )
    by_domain = models.BooleanField("each domain by itself", default=True)
    by_decision = models.BooleanField("each decision of the model by itself", default=False)
    by_release = models.BooleanField(
        "each release by itself", default=True, help_text="A new release is measured by the one before it."
    )
    baseline = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1_000_000.0)],
        help_text="What is usual: a share between 0 and 1, or of volume the cases in a slot. Empty: learned.",
    )
    baseline_cases = models.PositiveIntegerField(
        "learned from",
        default=200,
        validators=[MinValueValidator(20), MaxValueValidator(5_000)],
        help_text="The latest so many cases, or slots of volume. More is steadier; fewer is ready sooner.",
    )
    shift = models.FloatField(
        "smallest change worth an alarm",
        default=0.1,
        validators=[MinValueValidator(LEAST_SHIFT), MaxValueValidator(10.0)],
        help_text="0.1 is ten percentage points of a share, or a tenth of a volume. Less takes longer to see.",
    )
    false_alarm_every = models.PositiveIntegerField(
        "one false alarm in",
        default=5_000,
        validators=[MinValueValidator(100), MaxValueValidator(1_000_000)],
        help_text="So many cases (or slots) pass on average in each series until it alarms although nothing changed.",
    )
    slot_minutes = models.PositiveSmallIntegerField(
        "slot",
        choices=[(15, "15 minutes"), (60, "1 hour"), (1440, "1 day")],
        default=1440,
        help_text="Of volume only. Where nights or weekends are quiet, a shorter slot than a day alarms every morning.",
    )
    action = models.CharField(max_length=5, choices=Action, default=Action.ALARM)
    tells = ArrayField(models.CharField(max_length=20, choices=Role), default=default_tells, blank=True)
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "breaker"
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="breaker_names_are_unique"),)

    def __str__(self) -> str:
        return self.name

    @property
    def is_volume(self) -> bool:
        return self.watches == self.Watches.VOLUME

    @property
    def directions(self) -> list[Direction]:
        return list(Direction) if self.looks == self.Looks.BOTH else [Direction(self.looks)]

    def clean(self) -> None:
        wrong: dict[str, str] = {}
        if not self.is_volume and self.shift is not None and self.shift > MOST_SHARE_SHIFT:
            wrong["shift"] = f"A share changes by {MOST_SHARE_SHIFT} at most here."
        if not self.is_volume and self.baseline is not None and self.baseline > 1:
            wrong["baseline"] = "A share lies between 0 and 1."
        if self.watches == self.Watches.DENIALS and not self.decision:
            wrong["decision"] = "Name the decision that counts as a denial."
        if self.watches == self.Watches.DENIALS and self.by_decision:
            wrong["by_decision"] = "Denials are shares of all decisions: they cannot be split by them."
        if wrong:
            raise ValidationError(wrong)


class BreakerMark(models.Model):
    """How far a breaker has read: events in the order of their commits up to (``xid``, ``event_id``), slots to ``at``.

    Whoever advances a breaker holds this row.
    """

    rule = models.OneToOneField(BreakerRule, primary_key=True, on_delete=models.CASCADE, related_name="mark")
    xid = models.BigIntegerField()
    event_id = models.UUIDField(default=UUID(int=0))
    at = models.DateTimeField()
    checked_at = models.DateTimeField(db_index=True)  # Read by the health page.

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.rule_id} at {self.xid}"


class BreakerState(models.Model):
    """One watched series: learning its baseline, being watched, or waiting for a person after an alarm."""

    class Phase(models.TextChoices):
        LEARNING = "learning", "Learning its baseline"
        WATCHING = "watching", "Watched"
        ALARMED = "alarmed", "Alarmed: waits for a person"

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(BreakerRule, on_delete=models.CASCADE, related_name="states")
    domain = models.CharField(max_length=50, blank=True, default="")
    decision = models.CharField(max_length=100, blank=True, default="")
    release = models.ForeignKey("cases.Release", null=True, on_delete=models.PROTECT, related_name="+")
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.LEARNING)
    learned_n = models.PositiveIntegerField(default=0)
    learned_hits = models.PositiveIntegerField(default=0, help_text="Of volume: the cases in all of its slots.")
    counts = ArrayField(models.PositiveIntegerField(), default=list, help_text="Of volume: the cases in each slot.")
    based_at = models.DateTimeField(null=True, help_text="Since when it has a baseline.")
    n = models.PositiveBigIntegerField(default=0, help_text="What was seen since then, or since the last reset.")
    hits = models.PositiveBigIntegerField(default=0)
    sides = models.JSONField(default=list, help_text="The test of each direction, as ``breaker.from_json`` reads it.")
    seen_at = models.DateTimeField(help_text="Its latest case.")

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("rule", "domain", "decision", "release"),
                condition=Q(release__isnull=False),
                name="one_state_per_series",
            ),
            models.UniqueConstraint(
                fields=("rule", "domain", "decision"),
                condition=Q(release=None),
                name="one_state_per_series_of_all_releases",
            ),
        )

    def __str__(self) -> str:
        return series_words(self.domain, self.decision, self.release)

    @property
    def baseline(self) -> float | None:
        """A share, or of volume the cases in a slot; None while it is being learned."""
        if self.rule.baseline is not None:
            return self.rule.baseline
        return self.learned_hits / self.learned_n if self.based_at and self.learned_n else None


class BreakerAlarm(models.Model):
    """Append-only: what was seen. ``n`` and ``hits`` count from ``since``, where the sum that alarmed began."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    rule = models.ForeignKey(BreakerRule, on_delete=models.PROTECT, related_name="alarms")
    name = models.CharField(max_length=60, help_text="The breaker's name at that time.")
    watches = models.CharField(max_length=13, choices=BreakerRule.Watches)
    domain = models.CharField(max_length=50, blank=True, default="")
    decision = models.CharField(max_length=100, blank=True, default="")
    release = models.ForeignKey("cases.Release", null=True, on_delete=models.PROTECT, related_name="+")
    direction = models.CharField(max_length=4, choices=[(one.value, one.value) for one in Direction])
    since = models.DateTimeField()
    at = models.DateTimeField()
    n = models.PositiveIntegerField()
    hits = models.PositiveIntegerField(help_text="Of volume: the cases in all of its slots.")
    baseline = models.FloatField()
    low = models.FloatField(help_text="The 95 % interval of what was seen.")
    high = models.FloatField()
    statistic = models.FloatField()
    limit = models.FloatField()
    trips = models.BooleanField(help_text="It stopped automation.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "breaker's alarm"
        indexes = (
            models.Index(fields=["tenant", "-id"], name="breaker_alarm_newest"),  # Read by its list.
            models.Index(fields=["tenant", "-at", "-id"], name="breaker_alarm_by_time"),  # Read by the audit trail.
        )

    def __str__(self) -> str:
        return f"{self.name}: {series_words(self.domain, self.decision, self.release)}"

    @property
    def rate(self) -> float:
        return self.hits / self.n if self.n else 0.0

    @property
    def sentence(self) -> str:
        """What was seen, in words for people: numbers and names of the tenant's own."""
        what = BreakerRule.Watches(self.watches).label.partition(":")[0].lower()
        if self.watches == BreakerRule.Watches.VOLUME:
            seen = f"{self.rate:.1f} cases a slot in {self.n} slot{'s' * (self.n != 1)}"
            return f"{what}: {seen} (95 %: {self.low:.1f} to {self.high:.1f}), usually {self.baseline:.1f}"
        seen = f"{self.hits} of {self.n}, {self.rate:.0%} (95 %: {self.low:.0%} to {self.high:.0%})"
        return f"{what}: {seen}, usually {self.baseline:.0%}"


class BreakerReset(models.Model):
    """Append-only: a person has looked at an alarm, and the series is watched again."""

    id = models.BigAutoField(primary_key=True)
    alarm = models.OneToOneField(BreakerAlarm, on_delete=models.PROTECT, related_name="reset")
    by = models.ForeignKey("cases.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    learns_anew = models.BooleanField(help_text="What is usual is learned again, from the cases that follow.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.reason


def series_words(domain: str, decision: str, release: Any) -> str:
    """``billing, deny, gpt-4o 2026-05-01``, or “all cases”."""
    return ", ".join([*filter(None, (domain, decision)), *([str(release)] if release else [])]) or "all cases"
