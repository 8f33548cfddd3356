"""Seals over the audit trail: each a batch of rows, chained to the one before and signed. See ``cases.seals``."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ..history import Tracked, XactIdField, tracked
from ..ids import new_id
from .tenants import Tenant

NAME = 63  # bytes of a name in PostgreSQL


class Seal(models.Model):
    """Append-only: one batch. ``header`` and ``contents`` are the very bytes that were chained and signed; the other
    columns say the same again for queries, and a verification compares them."""

    number = models.BigIntegerField(primary_key=True)
    header = models.BinaryField()
    digest = models.BinaryField(unique=True, help_text="SHA-256 of the header.")
    previous = models.BinaryField(unique=True, help_text="Digest of the seal before it: unique, so no chain forks.")
    from_xid = models.BigIntegerField(unique=True)
    upto_xid = models.BigIntegerField(unique=True)  # Read by seal_proofs: the seal of a row is the first above its xid.
    rows = models.PositiveIntegerField()
    contents = models.BinaryField()
    key_id = models.CharField("key", max_length=16)
    signature = models.BinaryField()
    sealed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        get_latest_by = "number"
        verbose_name = "seal"
        constraints = (models.CheckConstraint(condition=Q(upto_xid__gt=models.F("from_xid")), name="seals_go_on"),)

    def __str__(self) -> str:
        return f"Seal {self.number}"

    @property
    def hex(self) -> str:
        return bytes(self.digest).hex()


class SealedTable(models.Model):
    """Append-only: the rows of one table in one seal, so that a broken one can be named and one row can be proven."""

    id = models.BigAutoField(primary_key=True)
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="tables")
    table = models.CharField(max_length=NAME)
    digests = models.BinaryField(help_text="The leaves, 32 bytes each, by transaction and key.")
    keys = models.BinaryField(help_text="The primary keys in the same order, one a line.")

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("seal", "table"), name="tables_are_sealed_once_in_a_seal"),)

    def __str__(self) -> str:
        return f"{self.table} in seal {self.seal_id}"


class SealShape(models.Model):
    """Append-only: the columns of a table as they were when a batch was sealed: ``name text``, ``name instant`` or
    ``name bytes``. A column that a later migration adds changes no digest of earlier rows."""

    digest = models.CharField(max_length=64, primary_key=True)
    table = models.CharField(max_length=NAME)
    columns = ArrayField(models.CharField(max_length=NAME + 10))

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.table}: {len(self.columns)} columns"


class SealVerification(models.Model):
    """One reading of the whole chain, in slices: ``next_number`` is where the next slice begins."""

    id = models.BigAutoField(primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    next_number = models.BigIntegerField(default=1)
    rows = models.BigIntegerField(default=0)
    findings = models.JSONField(default=list, help_text="What is broken, in words, up to a bound.")

    class Meta:
        default_permissions = ()
        get_latest_by = "id"

    def __str__(self) -> str:
        return "unfinished" if self.ended_at is None else f"{len(self.findings)} findings"


class SealPublishing(Tracked):
    """Where a tenant wants to be told the head of the chain: what it keeps out of our reach proves the tail."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="seal_publishing")
    to_folder = models.BooleanField(
        "as a file", default=True, help_text="Into the tenant's folder of the installation's store for heads."
    )
    to_webhooks = models.BooleanField(
        "as a webhook", default=False, help_text="The event audit.head, to every endpoint that asks for it."
    )
    to_channels = models.BooleanField(
        "as a notice", default=False, help_text="The notice audit.head, to the team's channels: e-mail, chat."
    )
    every_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 31)],
        help_text="At most so often, and only when there is a new seal.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "publishing of seals"
        verbose_name_plural = "publishing of seals"

    def __str__(self) -> str:
        return f"Seals of {self.tenant}"


class HeadReceipt(models.Model):
    """Append-only: a head left the house on this way. ``detail`` is what proves it: the file's name and digest, the
    event whose deliveries keep each endpoint's answer, the number of notices."""

    class Way(models.TextChoices):
        FOLDER = "folder", "File"
        WEBHOOKS = "webhooks", "Webhook"
        CHANNELS = "channels", "Notice"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(
        Tenant, null=True, on_delete=models.PROTECT, related_name="+", help_text="None: the installation's own."
    )
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="receipts")
    way = models.CharField(max_length=8, choices=Way)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "published head"
        constraints = (
            models.UniqueConstraint(fields=("tenant", "seal", "way"), name="a_head_leaves_once_on_each_way"),
            models.UniqueConstraint(
                fields=("seal", "way"), condition=Q(tenant=None), name="a_head_of_the_house_leaves_once"
            ),
        )
        indexes = (models.Index(fields=["tenant", "way", "-at"], name="receipts_newest"),)  # Read by head_publishing.

    def __str__(self) -> str:
        return f"{self.get_way_display()} of seal {self.seal_id}"
