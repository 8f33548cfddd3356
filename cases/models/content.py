"""The only place of personal and free text."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models

from ..digests import new_salt, salted_digest
from ..ids import new_id
from .tenants import Tenant

# A tsvector holds at most 1 MB; so much text stays below it whatever the words are.
SEARCHED_CHARACTERS = 100_000


class Content(models.Model):
    """One erasable row of text for one owner (a case, draft, review, action or event).

    Append-only rows and seals hold ``digest`` only. Erasure empties ``body``, ``salt`` and ``customer_key`` and leaves
    the row, so that every reference still stands and every stored digest is still what was sealed.
    """

    class Owner(models.TextChoices):
        CASE = "case", "Case"
        DRAFT = "draft", "Draft"
        REVIEW = "review", "Review"
        ACTION = "action", "Action"
        EVENT = "event", "Event"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    owner = models.CharField(max_length=6, choices=Owner)
    case_id = models.UUIDField(null=True, help_text="The case that this text belongs to, for erasure.")
    body = models.JSONField(null=True)
    salt = models.BinaryField(null=True, default=new_salt)
    customer_key = models.BinaryField(null=True, help_text="Keyed digest of the customer's reference, for finding.")
    search_text = models.TextField(default="", blank=True, help_text="The words to be found by, cut to a bound.")
    search = models.GeneratedField(
        expression=SearchVector("search_text", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    erased_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = (
            GinIndex(fields=["search"], name="content_search"),  # Read by the case lists' search box.
            models.Index(fields=["case_id"], name="content_by_case"),  # Read by erasure and the review page.
            models.Index(  # Read by "same customer's history".
                fields=["tenant", "customer_key", "-id"],
                name="content_by_customer",
                condition=~models.Q(customer_key=None),
            ),
            models.Index(  # Read by retention: ids rise with time.
                fields=["tenant", "id"], name="content_kept", condition=models.Q(owner="case", erased_at=None)
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(erased_at=None, salt__isnull=False)
                | models.Q(erased_at__isnull=False, body=None, salt=None, search_text="", customer_key=None),
                name="erased_content_is_empty",
            ),
        )

    def __str__(self) -> str:
        return f"{self.owner} text"

    @property
    def is_erased(self) -> bool:
        return self.erased_at is not None

    @property
    def text(self) -> dict:
        """The body, or an empty one after erasure."""
        return self.body or {}

    def digest(self) -> bytes:
        """SHA-256 over salt and RFC 8785 bytes of the body: what append-only rows hold. Not after erasure."""
        return salted_digest(self.salt, self.body)
