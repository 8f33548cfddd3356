"""Blind first: on a share of cases the person says what they would decide before they see what the AI said."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Case, Content, Draft, Tenant

_MOST = [MaxValueValidator(50)]


class BlindFirstPolicy(Tracked):
    """How often, in percent of the cases, by a case's risk and a person's record. Without a row it never happens."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="blind_first_policy")
    is_on = models.BooleanField("on", default=True)
    percent = models.PositiveSmallIntegerField("of every case", default=2, validators=_MOST)
    percent_risky = models.PositiveSmallIntegerField("of a high or critical risk", default=6, validators=_MOST)
    percent_on_record = models.PositiveSmallIntegerField(
        "on a person's record",
        default=10,
        validators=_MOST,
        help_text="For who missed their last challenge, or accepted their last 20 drafts.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "blind-first policy"
        verbose_name_plural = "blind-first policies"

    def __str__(self) -> str:
        return f"{self.percent} to {max(self.percent, self.percent_risky, self.percent_on_record)} % of the cases"


class FirstOpinion(models.Model):
    """Append-only. What ``person`` would have decided of ``draft`` before they saw it; one for each of both.

    ``decision`` is one of the policy's options, or empty where the case asks for a text, which is in ``content``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="first_opinions")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="first_opinions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="first_opinions")
    decision = models.CharField(max_length=100, blank=True, default="")
    seconds = models.FloatField(help_text="From the claim to this.")
    generation = models.BigIntegerField(help_text="The claim under which it was given.")
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    created_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("draft", "person"), name="one_first_opinion_of_a_draft"),)
        indexes = (
            models.Index(fields=["person", "-created_at"], name="first_opinions_of_person"),  # Read by services.habits.
            models.Index(fields=["tenant", "-created_at"], name="first_opinions_newest"),  # Read by services.habits.
        )

    def __str__(self) -> str:
        return f"First opinion of {self.person}"
