"""Pages of one tenant's figures: which tenants a person may look at, and the form that chooses one of several."""

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from cases.models import Tenant
from cases.rights import HeldRights, rights_of

TENANTS = 100


class TenantForm(forms.Form):
    tenant = forms.ChoiceField(required=False)


def tenants_of(rights: HeldRights) -> list[Tenant]:
    """The tenants whose metrics the person may see, at least one; raises ``PermissionDenied``."""
    if rights.is_superuser:
        tenants = list(rights.tenants("view_metrics").order_by("slug")[:TENANTS])
    else:  # Read with the rights, by slug.
        tenants = [place for place in rights.places if rights.has("view_metrics", place.pk)][:TENANTS]
    if not tenants:
        raise PermissionDenied("Supervisors, compliance staff and admins see how the work goes.")
    return tenants


def chosen_tenant(request: HttpRequest) -> tuple[Tenant, TenantForm | None]:
    """The tenant that the address names, else the first, and the form to choose another where there are several."""
    tenants = tenants_of(rights_of(request))
    tenant = next((one for one in tenants if one.slug == request.GET.get("tenant")), tenants[0])
    if len(tenants) == 1:
        return tenant, None
    form = TenantForm({"tenant": tenant.slug}, label_suffix="", use_required_attribute=False)
    form.fields["tenant"].choices = [(one.slug, one.name) for one in tenants]
    return tenant, form
