"""Authority as an object that can be granted, seen and revoked."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.policies import CODE
from cases.vocabulary import Risk

from .types import ActionType


class ApprovalAuthority(Tracked):
    """“Refunds up to 5,000 USD”. Who holds ``exercise`` on it may approve so far and no further."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="authorities")
    code = models.CharField(max_length=50, validators=[CODE])
    name = models.CharField(max_length=120)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="authorities")
    max_amount = models.DecimalField(
        max_digits=18, decimal_places=3, null=True, blank=True, help_text="Empty: actions without money only."
    )
    currency = models.CharField(max_length=3, blank=True, default="")
    max_impact = models.CharField(max_length=8, choices=Risk, default=Risk.MEDIUM)
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "approval authorities"
        permissions = (("exercise", "Approve within this authority"),)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "code"), name="authority_codes_are_unique"),
            models.CheckConstraint(
                condition=models.Q(max_amount=None, currency="")
                | (models.Q(max_amount__gt=0) & ~models.Q(currency="")),
                name="an_amount_has_a_currency",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def reaches(self, action) -> bool:
        """Whether it covers ``action`` of its type; ``services.authorities.reaching`` is the same rule in SQL."""
        if not self.is_active or Risk(action.impact).rank > Risk(self.max_impact).rank:
            return False
        if action.authority_code and action.authority_code != self.code:
            return False
        if action.amount is None:
            return True
        return self.max_amount is not None and self.currency == action.currency and action.amount <= self.max_amount


class AuthorityUserPermission(UserObjectPermissionBase):
    """guardian's direct rows: one user may exercise one authority."""

    content_object = models.ForeignKey(ApprovalAuthority, on_delete=models.CASCADE)


class AuthorityGroupPermission(GroupObjectPermissionBase):
    """guardian's direct rows: one role group may exercise one authority."""

    content_object = models.ForeignKey(ApprovalAuthority, on_delete=models.CASCADE)


class AuthorityGrant(models.Model):
    """Append-only: who was given or lost an authority, by whom and when; guardian's rows beside it only say now."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    authority = models.ForeignKey(ApprovalAuthority, on_delete=models.PROTECT, related_name="grants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a group."
    )
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="+")
    is_granted = models.BooleanField(help_text="False: taken away.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(user=None, group__isnull=False) | models.Q(user__isnull=False, group=None),
                name="a_grant_names_a_person_or_a_group",
            ),
        )

    def __str__(self) -> str:
        return f"{self.authority}: {self.user or self.group}"
