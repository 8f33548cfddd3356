"""How people get in: what happened at the door, and the codes for who lost their authenticator."""

from django.conf import settings
from django.db import models

from ..history import XactIdField


class AccessEvent(models.Model):
    """Append-only: who signed in when, and every change of what lets somebody in. No tenant: a person has one door."""

    class Kind(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        SIGNED_OUT = "signed_out", "Signed out"
        FAILED = "failed", "Sign-in failed"
        LOCKED = "locked", "Locked out after too many wrong tries"
        UNLOCKED = "unlocked", "Lock taken away"
        FACTOR_ADDED = "factor_added", "Second factor added"
        FACTOR_REMOVED = "factor_removed", "Second factor taken away by its owner"
        FACTOR_RESET = "factor_reset", "Second factor reset by an admin"
        CODES_MADE = "codes_made", "Backup codes made"
        CODE_USED = "code_used", "Backup code used"
        SESSIONS_ENDED = "sessions_ended", "Signed out everywhere"
        IDENTITY_LINKED = "identity_linked", "Linked to the identity provider"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="access_events")
    kind = models.CharField(max_length=16, choices=Kind)
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    way = models.CharField(
        max_length=40, blank=True, default="", help_text="By what: password, code, backup code, provider."
    )
    address = models.GenericIPAddressField(null=True)
    reason = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "sign-in event"
        indexes = (
            models.Index(fields=["user", "-id"], name="access_newest"),  # Read by the account page and the list.
            models.Index(fields=["-at", "-id"], name="access_by_time"),  # Read by the audit trail.
            models.Index(fields=["user", "-at", "-id"], name="access_by_person"),  # Likewise.
            models.Index(  # Likewise: by request.
                fields=["request_id"], name="access_by_request", condition=~models.Q(request_id="")
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()}"


class BackupCode(models.Model):
    """One of the codes that stand in for a lost authenticator, once each. Only its keyed digest is kept.

    django-otp's own static codes rest in plain text: whoever reads a database dump could sign with them.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="backup_codes")
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("user", "digest"), name="backup_codes_differ"),)

    def __str__(self) -> str:
        return f"backup code of {self.user}"
