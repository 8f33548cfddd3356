"""Accounts: the people and machines of the tenants that one may see. Rights come from roles, never from here."""

from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from ..errors import CountersignError
from ..models import AccessEvent, Membership, Tenant, User
from ..rights import rights_of
from ..services.access import note
from ..services.members import add_member, check_roles
from ..services.people import create_service_account
from ..vocabulary import Role
from .account import AccountPages
from .fields import ChecksField
from .scoped import TenantScoped, limit, offer, refuse
from .tokens import TokenPages

WAITS = "The account is there without its roles: they wait under Changes for another person to confirm them."

admin.site.unregister(Group)  # Role groups follow memberships; a change here would part them.


class NewPersonForm(AdminUserCreationForm):
    """A person with a first membership."""

    tenant = forms.ModelChoiceField(Tenant.objects.none())
    roles = ChecksField(choices=[role for role in Role.choices if role[0] != Role.INTEGRATION], required=True)

    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "first_name", "last_name", "email")

    def clean(self) -> dict:
        cleaned = super().clean()
        try:
            check_roles(User(kind=User.AccountKind.PERSON), cleaned.get("roles", []))
        except ValidationError as error:
            self.add_error(None, error)
        return cleaned


class ServiceAccountForm(forms.Form):
    """A machine's account. Kind, role and the absence of a password are not asked for: they are what it is."""

    username = forms.CharField(max_length=150, help_text="Letters, digits and @ . + - _ only.")
    first_name = forms.CharField(label="Name", max_length=150, required=False, help_text="As people read it.")
    tenant = forms.ModelChoiceField(Tenant.objects.none())


@admin.register(User)
class PersonAdmin(AccountPages, TokenPages, TenantScoped, UserAdmin):
    """Somebody of two tenants is changed only by those who may change people in both: a new password opens both."""

    view_right = "view_people"
    change_right = "change_people"
    tenant_path = ""
    form = UserChangeForm
    add_form = NewPersonForm
    list_display = ("username", "first_name", "last_name", "kind", "belongs_to", "is_active", "last_login")
    list_filter = ("is_active", "kind")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined", "kind", "belongs_to")
    fieldsets = (
        (None, {"fields": ("username", "password", "kind", "is_active")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Roles", {"fields": ("belongs_to",), "description": "Roles are given on the membership."}),
        ("Sign-in", {"fields": ("oidc_subject", "last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", ("first_name", "last_name"), "email")}),
        ("Place", {"fields": ("tenant", "roles")}),
        ("Password", {"fields": ("usable_password", "password1", "password2")}),
    )

    def get_list_filter(self, request: HttpRequest):
        return self.list_filter

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or (obj.is_person and self.has_change_permission(request, obj)):
            return fieldsets
        # A machine has no password, and the link that Django draws beside a person's would refuse who may only read.
        return ((None, {"fields": ("username", "kind", "is_active")}), *fieldsets[1:])

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super(TenantScoped, self).get_queryset(request).exclude(kind=User.AccountKind.SYSTEM)
        rights = rights_of(request)
        seen = rights.within(Membership.objects.select_related("tenant"), self.view_right)
        people = people.prefetch_related(Prefetch("memberships", seen, to_attr="seen_memberships"))
        if rights.is_superuser:
            return people
        own = Membership.objects.filter(user=OuterRef("pk"), tenant__in=rights.tenant_ids(self.view_right))
        return people.filter(Exists(own), is_superuser=False)

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        context = {"may_see_doors": rights_of(request).has("view_audit")}
        return super().changelist_view(request, context | (extra_context or {}))

    @admin.display(description="Belongs to")
    def belongs_to(self, user: User) -> str:
        """The memberships in tenants of the reader; what somebody is elsewhere is not told."""
        places = ((m.tenant, ", ".join(Role(role).label for role in m.roles)) for m in user.seen_memberships)
        return "; ".join(f"{tenant}: {roles or 'no role'}" for tenant, roles in places)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        rights = rights_of(request)
        if obj is None or rights.is_superuser:
            return rights.has(self.view_right)
        return bool(_places(obj) & set(rights.tenant_ids(self.view_right)))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        rights = rights_of(request)
        if obj is None or rights.is_superuser:
            return rights.has(self.change_right)
        places = _places(obj)
        return not obj.is_superuser and bool(places) and places <= set(rights.tenant_ids(self.change_right))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None):
        fixed = self.readonly_fields if obj else ()
        # Whoever could link their own account could link it to somebody else's identity unseen.
        return (*fixed, "is_active", "oidc_subject") if obj and obj.pk == request.user.pk else fixed

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs):
        form = super(TenantScoped, self).get_form(request, obj, change=change, **kwargs)
        if obj is None:
            offer(form, rights_of(request).tenants(self.change_right))
        return form

    def save_model(self, request: HttpRequest, obj: User, form, change: bool) -> None:
        if change:
            if not self.has_change_permission(request, obj):
                raise PermissionDenied
            if "oidc_subject" in form.changed_data:
                said = "linked on the account's page" if obj.oidc_subject else "link taken away"
                note(obj, AccessEvent.Kind.IDENTITY_LINKED, actor=request.user, request=request, reason=said)
            return super().save_model(request, obj, form, change)
        obj.is_staff = True
        super().save_model(request, obj, form, change)
        place = Membership(user=obj, tenant=form.cleaned_data["tenant"], roles=form.cleaned_data["roles"])
        if add_member(place, actor=request.user, reason="account created"):
            messages.warning(request, WAITS)
        return None

    def get_urls(self):
        view = self.admin_site.admin_view(self.add_service_view)
        return [path("add-service/", view, name="cases_user_add_service"), *super().get_urls()]

    def add_service_view(self, request: HttpRequest) -> HttpResponse:
        """A service account in one step; its tokens' page comes next."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ServiceAccountForm(request.POST or None)
        limit(form.fields, rights_of(request).tenants(self.change_right))
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            try:
                account = create_service_account(
                    asked["tenant"], actor=request.user, username=asked["username"], name=asked["first_name"]
                )
            except ValidationError as error:
                form.add_error(None, error)
            except CountersignError as error:
                return refuse(request, error)
            else:
                messages.success(request, "Created. It has no token yet: issue one.")
                if not account.memberships.get().roles:
                    messages.warning(request, WAITS)
                return redirect("admin:cases_user_tokens", account.pk)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Add service account"}
        return TemplateResponse(request, "admin/cases/user/add_service.html", context | {"form": form})


def _places(user: User) -> set[UUID]:
    """The tenants that ``user`` belongs to, active or not; asked some ten times for one page and read once."""
    if not hasattr(user, "_places"):
        user._places = set(Membership.objects.filter(user=user).values_list("tenant_id", flat=True))
    return user._places
