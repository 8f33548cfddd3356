"""Texts that a tenant's people write again and again, each under a key."""

from django.core.validators import RegexValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.customers import LOCALE
from cases.models.policies import DOMAIN_NAME

KEY = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,29}$", "Lower-case letters, digits and hyphens, up to 30.")


class TextSnippet(Tracked):
    """A piece of an answer. Of several under one key the one for the case's domain and language is offered."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="snippets")
    key = models.CharField(max_length=30, validators=[KEY], help_text="What reviewers type, such as “late-parcel”.")
    domain = models.CharField(
        max_length=50, blank=True, default="", validators=[DOMAIN_NAME], help_text="Empty: every domain."
    )
    locale = models.CharField(
        max_length=35,
        blank=True,
        default="",
        validators=[LOCALE],
        help_text="The case's language, such as “de” or “de-CH”. Empty: whatever the language.",
    )
    text = models.TextField(max_length=5_000, help_text="Put into the answer as it stands; the reviewer may change it.")

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("key", "domain", "locale")
        verbose_name = "text snippet"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "key", "domain", "locale"), name="one_snippet_per_key_domain_and_locale"
            ),
        )

    def __str__(self) -> str:
        return f"{self.key}, {self.domain or 'every domain'}, {self.locale or 'every language'}"
