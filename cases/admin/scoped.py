"""Object permissions on every page of the admin: a tenant's rows for those who hold a right in it, and for nobody else.

Django's ``ModelAdmin`` asks for global permissions, which nobody here has. Another tenant's row gets the same answer as
a key that does not exist.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model, QuerySet
from django.forms import BaseForm, CheckboxInput, HiddenInput, ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from ..errors import CountersignError
from ..models import Tenant
from ..permissions import Denied, require
from ..rights import rights_of
from ..services import changes
from ..services.audit import keep_denial
from ..services.changes import SecondNeeded
from .forms import TrackedForm, of_tenants
from .history import HistoryPages


class TenantFilter(admin.SimpleListFilter):
    """Offers the tenants that the person belongs to, and nothing where that is one."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: "TenantScoped"):
        if not rights_of(request).sees_several():
            return ()
        return [
            (str(pk), name) for pk, name in rights_of(request).tenants(model_admin.view_right).values_list("pk", "name")
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = {str(pk): pk for pk, _ in self.lookup_choices}.get(self.value() or "")
        path = self.path_of(queryset.model)
        return queryset.filter(**{path: chosen}) if chosen else queryset

    @staticmethod
    def path_of(model: type[Model]) -> str:
        registered = admin.site._registry.get(model)
        return getattr(registered, "tenant_path", "tenant")


def lookups_of(list_filter: Any) -> set[str]:
    """The query parameters that one entry of ``list_filter`` reads."""
    if isinstance(list_filter, str):
        return {list_filter, f"{list_filter}__exact"}
    return {list_filter.parameter_name}


class TenantScoped(admin.ModelAdmin):
    """Rows by ``view_right``, changes by ``change_right`` (empty: nobody), both on the tenant at ``tenant_path``."""

    view_right = ""
    change_right = ""
    tenant_path = "tenant"  # "pk" for the tenant itself.
    deletable = False

    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER

    # --- who may ---------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return rights_of(request).within(super().get_queryset(request), self.view_right, self.tenant_path)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None and request.method == "POST" and connection.in_atomic_block:
            # Two people who save at once do so in turn: the second then meets the first one's history entry. Django's
            # own change and delete views open a transaction; the house's views leave locking to their service.
            type(obj)._default_manager.select_for_update(of=("self",)).filter(pk=obj.pk).first()
        return obj

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list's own filters ask. Django lets any column be asked for, secrets and private ones too."""
        return any(lookup in lookups_of(chosen) for chosen in self.get_list_filter(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing is filled in from the address: what stands there was checked by nobody."""
        return {}

    def tenant_id_of(self, obj: Model | None) -> UUID | None:
        if obj is None:
            return None
        for name in self.tenant_path.split("__")[:-1]:
            obj = getattr(obj, name)
        return obj.pk if self.tenant_path == "pk" else obj.tenant_id

    def _may(self, request: HttpRequest, right: str, obj: Model | None) -> bool:
        if not right:
            return False
        rights, tenant_id = rights_of(request), self.tenant_id_of(obj)
        if obj is not None and tenant_id is None:  # A row that stands above all tenants.
            return rights.is_superuser
        return rights.has(right, tenant_id)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.view_right, obj) or self._may(request, self.change_right, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.change_right, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.change_right, None)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.deletable and self.has_change_permission(request, obj)

    # --- what is offered -------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = super().get_list_display(request)
        return (*columns, "tenant") if self._names_tenants(request) else columns

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        filters = super().get_list_filter(request)
        return (TenantFilter, *filters) if self.tenant_path != "pk" and rights_of(request).sees_several() else filters

    def _names_tenants(self, request: HttpRequest) -> bool:
        return self.tenant_path == "tenant" and rights_of(request).sees_several()

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        fixed = super().get_readonly_fields(request, obj)
        return (
            (*fixed, "tenant") if obj is not None and self.tenant_path == "tenant" and "tenant" not in fixed else fixed
        )

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        offer(form, self.offered_tenants(request, obj))
        return form

    def offered_tenants(self, request: HttpRequest, obj: Model | None) -> QuerySet[Tenant]:
        if obj is not None and (tenant_id := self.tenant_id_of(obj)):
            return Tenant.objects.filter(pk=tenant_id)
        return rights_of(request).tenants(self.change_right or self.view_right)

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        """Called what it lists; Django's own title tells people to select something."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    # --- what is refused -------------------------------------------------------------------------------------------

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None) -> HttpResponse:
        """A service's refusal rolls everything back and comes back as a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except CountersignError as error:
            return refuse(request, error)


class TrackedAdmin(TenantScoped, HistoryPages):
    """A model with history: every save carries its person and a reason, and none overwrites what it has not seen."""

    form = TrackedForm
    reason_fieldset = "Why"

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None):
        fieldsets = list(super().get_fieldsets(request, obj))
        named = {name for _, options in fieldsets for name in _flat(options["fields"])}
        if "reason" in named:  # Without fieldsets of its own, Django lists every field of the form.
            return fieldsets
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return [*fieldsets, (self.reason_fieldset, {"fields": ("reason", "seen")})] if may else fieldsets

    def save_model(self, request: HttpRequest, obj: Model, form, change: bool) -> None:
        require(request.user, self.change_right, self.tenant_of(obj))
        self.store(request, obj, form.cleaned_data["reason"])

    def tenant_of(self, obj: Model) -> Tenant:
        return Tenant.objects.get(pk=self.tenant_id_of(obj))

    def store(self, request: HttpRequest, obj: Model, reason: str) -> None:
        """Save ``obj``: the place to call a service instead."""
        obj.save_as(request.user, reason)

    def save_formset(self, request: HttpRequest, form, formset, change: bool) -> None:
        reason = form.cleaned_data["reason"]
        for row in formset.save(commit=False):
            row.save_as(request.user, reason)
        for row in formset.deleted_objects:
            row.delete_as(request.user, reason)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        require(request.user, self.change_right, self.tenant_of(obj))
        obj.delete_as(request.user, "deleted")


class ReadOnlyAdmin(TenantScoped):
    """Rows that nobody writes by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ScopedInline(admin.TabularInline):
    """Rows of a parent: whoever may change the parent may change them, and they link within its tenant only."""

    extra = 0
    select_related: Sequence[str] = ()  # What the rows' own names are made of.

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.select_related)

    def _parent(self) -> TenantScoped:
        return self.admin_site._registry[self.parent_model]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs):
        formset = super().get_formset(request, obj, **kwargs)
        offer(formset.form, self._parent().offered_tenants(request, obj))
        for field in formset.form.base_fields.values():
            if isinstance(field, ModelChoiceField):
                # Read once, and not again for every row; of an iterator `list` does not ask first how many there are.
                field.choices = list(iter(field.choices))
            if field.label and not field.widget.is_hidden:  # A head of a column names nothing to a screen reader.
                # The frame that Django puts round a choice of related rows draws the widget within it.
                drawn = getattr(field.widget, "widget", field.widget)
                drawn.attrs.setdefault("aria-label", capfirst(field.label))
        formset.deletion_widget = CheckboxInput(attrs={"aria-label": "Delete"})
        return formset


def offer(form: type[BaseForm], tenants: QuerySet[Tenant]) -> None:
    """``limit`` for a form class, on a copy of its fields: one that a class declares is the same object in every
    request, another tenant's too."""
    form.base_fields = deepcopy(form.base_fields)
    limit(form.base_fields, tenants)


def limit(fields: dict[str, Any], tenants: QuerySet[Tenant]) -> None:
    """Limit every choice of related rows among ``fields`` to ``tenants``; nobody is asked for their only tenant."""
    for name, field in fields.items():
        if not isinstance(field, ModelChoiceField):
            continue
        if isinstance(field.widget, RelatedFieldWidgetWrapper):  # One thing at a time: a choice is no place to edit.
            field.widget.can_change_related = field.widget.can_delete_related = field.widget.can_view_related = False
        if field.queryset.model is not Tenant:
            field.queryset = of_tenants(field.queryset, tenants)
        elif name == "tenant":
            field.queryset = tenants
            known = list(tenants[:2])
            if len(known) == 1:
                field.initial, field.widget = known[0].pk, HiddenInput()


def refuse(request: HttpRequest, error: CountersignError) -> HttpResponse:
    """Tell the person why, keep a denial, and show the page again as it is stored.

    What needs a second person is asked for here, now that nothing of it is stored any more.
    """
    if isinstance(error, SecondNeeded):
        asked = changes.ask(error.wish)
        messages.warning(request, f"{error.message} It waits under Changes, for three days.")
        return HttpResponseRedirect(reverse("admin:cases_changerequest_change", args=[asked.pk]))
    if isinstance(error, Denied):
        keep_denial(error)
        raise PermissionDenied(error.message) from error
    messages.error(request, error.message)
    return HttpResponseRedirect(request.get_full_path())


def _flat(fields: Sequence[Any]) -> list[str]:
    return [name for entry in fields for name in ([entry] if isinstance(entry, str) else entry)]
