"""The case: narrow, mutable, with history; its texts rest in ``Content``."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django_fsm import FSMField

from .. import states
from ..fsm import transition_for
from ..history import Tracked, tracked
from ..ids import new_id, to_wire
from ..vocabulary import Kind, Risk, Verdict
from .tenants import Tenant


class CaseQuerySet(models.QuerySet):
    def real(self) -> "CaseQuerySet":
        """Without challenges and probes: what counts, is delivered and is exported."""
        return self.filter(purpose=Case.Purpose.REAL)

    def open(self) -> "CaseQuerySet":
        return self.filter(state__in=states.OPEN)

    def with_text(self) -> "CaseQuerySet":
        """Everything that a row of a list or a page shows, in one query."""
        return self.select_related(
            "tenant", "content", "current_draft__content", "current_draft__release", "final_content"
        )


class Case(Tracked):
    """What an AI system handed over, and what became of it."""

    class Purpose(models.TextChoices):
        REAL = "real", "Real"
        CHALLENGE = "challenge", "Challenge"
        PROBE = "probe", "Probe"

    class DecidedBy(models.TextChoices):
        HUMAN = "human", "A person"
        AUTOMATIC = "automatic", "Automatic"

    PREFIX = "case"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="cases")
    external_id = models.CharField(max_length=200, blank=True, default="")
    intake_digest = models.BinaryField(help_text="Salted digest of the intake's body: tells a repetition from a clash.")
    kind = models.CharField(max_length=8, choices=Kind)
    domain = models.CharField(max_length=50)
    language = models.CharField(max_length=35, help_text="BCP 47; “und” where nobody said.")
    risk = models.CharField(max_length=8, choices=Risk)
    state = FSMField(max_length=14, choices=states.State, protected=True)
    purpose = models.CharField(max_length=9, choices=Purpose, default=Purpose.REAL, editable=False)
    content = models.OneToOneField("cases.Content", on_delete=models.PROTECT, related_name="+")
    # Plain foreign keys, here and below: a change of a uniquely indexed column takes the row's strongest lock.
    current_draft = models.ForeignKey("cases.Draft", on_delete=models.PROTECT, related_name="+")
    caller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    wanted_by = models.DateTimeField(null=True, blank=True, help_text="The caller's own deadline.")
    redraft_by = models.DateTimeField(null=True, blank=True, help_text="Until when a new draft is awaited.")

    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, default="")
    final_decision = models.CharField(max_length=100, blank=True, default="")
    final_content = models.ForeignKey("cases.Content", null=True, on_delete=models.PROTECT, related_name="+")
    decided_by = models.CharField(max_length=9, choices=DecidedBy, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    final_at = models.DateTimeField(
        null=True, blank=True, help_text="Until then a decision can be undone and is hidden."
    )
    open_actions = models.PositiveSmallIntegerField(
        default=0, help_text="Actions that are not terminal yet hold the outcome."
    )

    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    trace_id = models.CharField(max_length=128, blank=True, default="")
    traceparent = models.CharField(max_length=55, blank=True, default="")
    resume_token = models.CharField(max_length=500, blank=True, default="")

    history = tracked(excluded_fields=["resume_token"])
    objects = CaseQuerySet.as_manager()

    approve = transition_for(states.MOVES, "approve")
    reject = transition_for(states.MOVES, "reject")
    ask_for_draft = transition_for(states.MOVES, "ask_for_draft")
    withdraw = transition_for(states.MOVES, "withdraw")
    resume_review = transition_for(states.MOVES, "resume_review")
    recall = transition_for(states.MOVES, "recall")
    reopen = transition_for(states.MOVES, "reopen")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="case_newest"),  # Read by the API's and the admin's lists.
            models.Index(fields=["tenant", "state", "-id"], name="case_by_state"),  # Read by the same, filtered.
            models.Index(fields=["tenant", "domain", "-id"], name="case_by_domain"),  # Read by the same, filtered.
            models.Index(  # Read by the review page, for decided cases of the same domain.
                fields=["tenant", "domain", "-id"],
                name="case_decided_in_domain",
                condition=models.Q(state__in=(states.State.APPROVED, states.State.REJECTED)),
            ),
            models.Index(  # Read by lifecycle.resume_overdue_redrafts.
                fields=["redraft_by"], name="case_awaiting_draft", condition=models.Q(state=states.State.NEEDS_EDIT)
            ),
            models.Index(  # Read by proposals.sweep_ended_cases.
                fields=["state"], name="case_with_open_actions", condition=models.Q(open_actions__gt=0)
            ),
            models.Index(fields=["tenant", "opened_at"], name="case_by_opening"),  # Read by metrics' facts.
            GinIndex(fields=["tags"], name="case_by_tag"),  # Read by the tag filter.
        )
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "external_id"),
                condition=~models.Q(external_id=""),
                name="external_id_is_unique_per_tenant",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=states.OPEN, decided_at=None, final_at=None)
                | models.Q(state__in=states.DECIDED, decided_at__isnull=False, final_at__isnull=False)
                | models.Q(state=states.State.WITHDRAWN),
                name="decided_cases_say_when",
            ),
        )

    def __str__(self) -> str:
        return self.external_id or self.wire_id

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)
