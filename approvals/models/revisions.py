"""What exactly was asked, what the executor said of it, and who signed it: append-only.

The rows hold digests and keys; parameters, previews and the bytes that are approved rest in erasable content.
"""

from django.conf import settings
from django.db import models

from cases.history import XactIdField
from cases.ids import new_id
from cases.models import Content

from .actions import ProposedAction
from .authorities import ApprovalAuthority


class ActionRevision(models.Model):
    """Append-only: one wording of an action, the first its proposer's. ``content``: ``{params, amount, currency}``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.ForeignKey(ProposedAction, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveSmallIntegerField(help_text="From 1 on.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("action", "number"), name="revisions_are_numbered"),)

    def __str__(self) -> str:
        return f"revision {self.number}"


class ActionPreview(models.Model):
    """Append-only: one dry run that answered. ``content``: ``{binding, info, payload}``; the payload is text, byte for
    byte what is approved and sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.ForeignKey(ProposedAction, on_delete=models.PROTECT, related_name="previews")
    revision = models.ForeignKey(ActionRevision, on_delete=models.PROTECT, related_name="previews")
    at = models.DateTimeField()
    payload_hash = models.BinaryField(help_text="SHA-256 of the payload's bytes.")
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["action", "-id"], name="previews_of_action"),)  # Read by the approve page.

    def __str__(self) -> str:
        return f"preview of {self.at:%Y-%m-%d %H:%M}"


class ActionVote(models.Model):
    """Append-only: a person's signature under one payload, or its withdrawal; their last one under a hash counts."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approved"
        REJECT = "reject", "Rejected"
        WITHDRAW = "withdraw", "Approval taken back"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.ForeignKey(ProposedAction, on_delete=models.PROTECT, related_name="votes")
    payload_hash = models.BinaryField()
    verdict = models.CharField(max_length=8, choices=Verdict)
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose authority it was, where the voter stood in for somebody away.",
    )
    authority = models.ForeignKey(ApprovalAuthority, null=True, on_delete=models.PROTECT, related_name="votes")
    at = models.DateTimeField()
    reason = models.OneToOneField(Content, null=True, on_delete=models.PROTECT, related_name="+")
    reason_digest = models.BinaryField(null=True)
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["action", "id"], name="votes_of_action"),)  # Read by signing and dispatch.
        constraints = (
            models.CheckConstraint(
                condition=models.Q(verdict="withdraw") | models.Q(authority__isnull=False),
                name="a_signature_names_its_authority",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.voter}"
