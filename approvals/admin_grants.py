"""Who holds an authority: given and taken by ``services.authorities``, with the reason and the history beside it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from cases.admin.scoped import refuse
from cases.errors import CountersignError
from cases.models import Tenant, User
from cases.vocabulary import Role

from .models import ApprovalAuthority
from .services import authorities

GRANTS_SHOWN = 50
PEOPLE_OFFERED = 500
REASON_LENGTH = 200


class GrantForm(forms.Form):
    """One person or one role group of the tenant; ``authorities.grant`` says whether they may hold it."""

    person = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        to_field_name="username",
        label="User name",
        widget=forms.TextInput(attrs={"class": "vTextField", "list": "members", "autocomplete": "off"}),
        error_messages={"invalid_choice": "There is no such person in this tenant."},
    )
    group = forms.ModelChoiceField(
        Group.objects.none(), required=False, empty_label="–", label="Or everybody with the role"
    )
    reason = forms.CharField(max_length=REASON_LENGTH, widget=forms.TextInput(attrs={"class": "vTextField"}))

    def __init__(self, authority: ApprovalAuthority, data: Any = None) -> None:
        super().__init__(data)
        tenant = authority.tenant
        holders = Q(pk__in=authority.authorityuserpermission_set.values("user"))  # Who left can be taken it from.
        self.fields["person"].queryset = User.objects.filter(Q(pk__in=members_of(tenant).values("pk")) | holders)
        self.fields["group"].queryset = Group.objects.filter(name__startswith=f"{tenant.slug}:").order_by("name")
        self.fields["group"].label_from_instance = role_words

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and bool(cleaned.get("person")) == bool(cleaned.get("group")):
            raise forms.ValidationError("Choose a person or a role, one of the two.")
        return cleaned

    @property
    def holder(self) -> User | Group:
        return self.cleaned_data["person"] or self.cleaned_data["group"]


class GrantPages(admin.ModelAdmin):
    """The page behind an authority's own."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.grants_view)
        return [
            path("<uuid:authority_id>/grants/", view, name="approvals_approvalauthority_grants"),
            *super().get_urls(),
        ]

    def grants_view(self, request: HttpRequest, authority_id: UUID) -> HttpResponse:
        """Holders, the form that gives, a button that takes for each holder, and the history of both."""
        authority = self.get_queryset(request).select_related("tenant", "action_type").filter(pk=authority_id).first()
        if authority is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(authority_id))
        may_change = self.has_change_permission(request, authority)
        form = GrantForm(authority, request.POST or None)
        if request.method == "POST" and form.is_valid():
            change = authorities.revoke if "revoke" in request.POST else authorities.grant
            try:
                row = change(authority, form.holder, actor=request.user, reason=form.cleaned_data["reason"])
            except CountersignError as error:
                return refuse(request, error)
            done = f"{authority} is now held by" if row.is_granted else f"{authority} was taken from"
            messages.success(request, f"{done} {_holder_words(form.holder)}.")
            return redirect("admin:approvals_approvalauthority_grants", authority_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Who holds “{authority}”",
            "authority": authority,
            "form": form,
            "may_change": may_change,
            "members": members_of(authority.tenant)[:PEOPLE_OFFERED] if may_change else (),
            "people": authorities.own_holders(authority),
            "groups": [(group, role_words(group)) for group in authorities.group_holders(authority)],
            "grants": authority.grants.select_related("user", "group", "by").order_by("-id")[:GRANTS_SHOWN],
        }
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/approvals/approvalauthority/grants.html", context, status=status)


def role_words(group: Group) -> str:
    """``Approver`` for ``acme:approver``."""
    name = group.name.partition(":")[2]
    return f"Role {Role(name).label}" if name in Role.values else group.name


def _holder_words(holder: User | Group) -> str:
    return role_words(holder) if isinstance(holder, Group) else str(holder)


def members_of(tenant: Tenant) -> QuerySet[User]:
    """The people who may hold an authority of the tenant."""
    return User.objects.filter(
        kind=User.AccountKind.PERSON, is_active=True, memberships__tenant=tenant, memberships__is_active=True
    ).order_by("username")
