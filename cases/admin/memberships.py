"""Who belongs to a tenant, in which roles."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import Membership
from ..services.members import check_delegate, check_roles, save_membership
from ..vocabulary import Role
from .fields import ChecksField, MomentField
from .forms import TrackedForm
from .scoped import TrackedAdmin


class MembershipForm(TrackedForm):
    roles = ChecksField(choices=Role.choices, help_text="A person may have several.")
    away_from = MomentField(label="Away from (UTC)")
    away_until = MomentField(label="Away until (UTC)", help_text="Empty: until somebody says that they are back.")

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.instance.delegate_id and not self.errors:
            try:
                check_delegate(self.instance)
            except ValidationError as error:
                self.add_error(None, error)

    def clean(self) -> dict:
        cleaned = super().clean()
        user = cleaned.get("user") or (self.instance.user if self.instance.user_id else None)
        if user and "roles" in cleaned:
            try:
                check_roles(user, cleaned["roles"])
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


@admin.register(Membership)
class MembershipAdmin(TrackedAdmin):
    view_right = "view_people"
    change_right = "change_people"
    form = MembershipForm
    list_display = ("user", "in_roles", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    fieldsets = (
        (None, {"fields": ("tenant", "user", "roles", "is_active")}),
        ("Absence", {"fields": (("away_from", "away_until"), "delegate")}),
    )

    @admin.display(description="Roles")
    def in_roles(self, membership: Membership) -> str:
        return ", ".join(Role(role).label for role in membership.roles) or "none"

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None):
        fixed = super().get_readonly_fields(request, obj)
        if obj is None:
            return fixed
        own = ("roles", "is_active") if obj.user_id == request.user.pk and not request.user.is_superuser else ()
        return (*fixed, "user", *own)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "tenant")

    def store(self, request: HttpRequest, obj: Membership, reason: str) -> None:
        save_membership(obj, actor=request.user, reason=reason)
