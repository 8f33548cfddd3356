"""Reviews: each decision of a person with everything that a later reader needs to learn from it."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from cases.clock import db_now
from cases.history import XactIdField
from cases.ids import new_id, to_wire
from cases.models import Case, Content, Draft, PolicyVersion, Tenant
from cases.vocabulary import Route, Verdict

from ..counting import countable
from .labels import is_disputed, standing_label


class ReviewQuerySet(models.QuerySet):
    def countable(self, now: datetime | None = None) -> "ReviewQuerySet":
        """The decisions that count as of ``now``, by default the database's: see ``counting``."""
        return self.filter(countable(now or db_now()))

    def corrections(self, now: datetime | None = None) -> "ReviewQuerySet":
        """The countable overrides: what is labelled, and what the weekly export holds."""
        return self.countable(now).filter(is_override=True)

    def with_standing_label(self) -> "ReviewQuerySet":
        """Each review with ``standing_label``: the latest label that nobody took back, or null."""
        return self.annotate(standing_label=standing_label())

    def with_dispute(self) -> "ReviewQuerySet":
        """``with_standing_label``, and ``is_disputed``: the latest labels of two people differ."""
        return self.with_standing_label().annotate(is_disputed=is_disputed())


class Review(models.Model):
    """Append-only. An undo appends a row that supersedes; the pair (draft, answer) rests in two ``Content`` rows.

    A decision took effect. A vote is one of several reviews and a second look comes after a decision: neither changes
    a case, and metrics, labels and exports count neither. The vote that completes a majority is the decision.
    """

    class Kind(models.TextChoices):
        DECISION = "decision", "Decision"
        UNDO = "undo", "Undo"
        VOTE = "vote", "Vote"
        SECOND = "second", "Second look"

    PREFIX = "rev"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reviews")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="reviews")
    poll = models.ForeignKey(
        "feedback.Poll", null=True, on_delete=models.PROTECT, related_name="reviews", help_text="None: one decides."
    )
    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.DECISION)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    verdict = models.CharField(max_length=10, choices=Verdict)
    final_decision = models.CharField(max_length=100, blank=True, default="")
    reason_code = models.CharField(max_length=50, blank=True, default="")
    route = models.CharField(max_length=18, choices=Route)
    is_override = models.BooleanField(help_text="The AI's answer or decision did not stand.")
    is_blind = models.BooleanField(default=False)
    edit_distance = models.PositiveIntegerField(default=0, help_text="Characters inserted, deleted or replaced.")
    edit_share = models.FloatField(default=0.0, help_text="The same in [0, 1] of the longer text.")
    handling_seconds = models.FloatField(help_text="Claim to submit, less pauses.")
    generation = models.BigIntegerField(help_text="The claim under which it was written.")
    displayed_digest = models.BinaryField(help_text="The draft's digest as it was shown.")
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    created_at = models.DateTimeField()
    xid = XactIdField()

    objects = ReviewQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["case", "id"], name="reviews_of_case"),  # Read by the review page and the timeline.
            models.Index(fields=["reviewer", "-created_at"], name="reviews_of_person"),  # Read by the reviewer's day.
            models.Index(fields=["tenant", "-created_at"], name="reviews_newest"),  # Read by metrics and exports.
            models.Index(  # Read by labelling and by the weekly export.
                fields=["tenant", "id"], name="corrections", condition=Q(kind="decision", is_override=True)
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(supersedes=None, kind__in=["decision", "vote", "second"])
                | Q(kind="undo", supersedes__isnull=False),
                name="undo_names_what_it_undoes",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.reviewer}"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)


class Correction(Review):
    """An override as those see it who label it: the same rows, on pages of their own."""

    class Meta:
        proxy = True
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} of {self.case}"


class ReviewDraft(models.Model):
    """What a person had written when the case slipped away: kept until they decide it or throw it out."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("case", "reviewer"), name="one_review_draft_per_person"),)

    def __str__(self) -> str:
        return f"Unsent review of {self.case}"
