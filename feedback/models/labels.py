"""Labels of corrections: who said what an override teaches, and when."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from cases.history import XactIdField
from cases.models import Content, Tenant

from ..labels import Label

if TYPE_CHECKING:
    from .reviews import Review


class LabelQuerySet(models.QuerySet):
    def standing(self) -> "LabelQuerySet":
        """Labels that nobody has taken back. Of one review the latest of these, by id, is its label."""
        return self.filter(superseded_by=None).exclude(label="")

    def of_review(self, name: str = "pk") -> "LabelQuerySet":
        """As a subquery: the standing labels of the outer review at ``name``, the latest first."""
        return self.standing().filter(review=OuterRef(name)).order_by("-id")


class CorrectionLabel(models.Model):
    """Append-only. Taking a label back appends a row without one that supersedes it.

    Ids order the labels of one review: whoever writes one holds the review's row lock.
    """

    class Source(models.TextChoices):
        PERSON = "person", "A person"
        IMPORT = "import", "Import"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    review = models.ForeignKey("feedback.Review", on_delete=models.PROTECT, related_name="labels")
    label = models.CharField(max_length=16, choices=Label, blank=True, default="")
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    labelled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=6, choices=Source, default=Source.PERSON)
    note = models.OneToOneField(Content, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    xid = XactIdField()

    objects = LabelQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["review", "-id"], name="labels_of_review"),  # Read by ``standing_label``.
            models.Index(fields=["tenant", "-at", "-id"], name="labels_by_time"),  # Read by the audit trail.
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(supersedes=None) & ~Q(label="") | Q(supersedes__isnull=False, label=""),
                name="a_label_or_what_it_takes_back",
            ),
        )

    def __str__(self) -> str:
        return self.get_label_display() or "Taken back"


def standing_label(review: str = "pk") -> Subquery:
    """The label of the outer review found at ``review``; null where it has none."""
    return Subquery(CorrectionLabel.objects.of_review(review).values("label")[:1], output_field=models.CharField())


def is_disputed() -> Exists:
    """Whether the latest labels of two people differ: somebody's last word on the outer review is not its label.

    Needs ``standing_label`` as an annotation of that name.
    """
    later = CorrectionLabel.objects.standing().filter(
        review=OuterRef("review"), labelled_by=OuterRef("labelled_by"), id__gt=OuterRef("pk")
    )
    last_words = CorrectionLabel.objects.standing().filter(~Exists(later), review=OuterRef("pk"))
    return Exists(last_words.exclude(label=OuterRef("standing_label")))


def last_word_of(user, review: "Review") -> CorrectionLabel | None:
    """What ``user`` last said of ``review`` and has not taken back."""
    return CorrectionLabel.objects.standing().filter(review=review, labelled_by=user).order_by("-id").first()
