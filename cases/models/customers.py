"""What customers are told while a person looks at their case."""

from django.core.validators import RegexValidator
from django.db import models

from ..history import Tracked, XactIdField, tracked
from ..ids import new_id
from .policies import DOMAIN_NAME
from .tenants import Tenant

LOCALE = RegexValidator(
    r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", "A language tag such as “de” or “de-CH”; empty for every language."
)


class InterimTemplate(Tracked):
    """What a tenant's customers may be told meanwhile, where the caller sends no ``limited_answer`` of its own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="interim_templates")
    domain = models.CharField(
        max_length=50, blank=True, default="", validators=[DOMAIN_NAME], help_text="Empty: every domain."
    )
    locale = models.CharField(
        max_length=35,
        blank=True,
        default="",
        validators=[LOCALE],
        help_text="The customer's language, such as “de” or “de-CH”. Empty: whatever the language.",
    )
    text = models.TextField(max_length=10_000)

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("domain", "locale")
        verbose_name = "interim answer"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "domain", "locale"), name="one_interim_answer_per_domain_and_locale"
            ),
        )

    def __str__(self) -> str:
        return f"{self.domain or 'every domain'}, {self.locale or 'every language'}"


class Promise(models.Model):
    """Append-only: by when a customer was told to expect an answer. The text itself is made from it again."""

    id = models.BigAutoField(primary_key=True)
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="promises")
    by = models.DateTimeField()
    told_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"by {self.by:%Y-%m-%d %H:%M}"
