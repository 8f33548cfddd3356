"""Seals for those who read the audit trail: how they stand, the heads to take along, and where heads are published.

The chain is the installation's. Its readers see digests and times; how many rows a seal holds tells how busy other
tenants are, and stays with the platform.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .. import audit_keys
from ..clock import db_now
from ..models import HeadReceipt, Seal, SealPublishing, SealVerification
from ..rights import rights_of
from ..services import head_publishing, removal, sealing
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    view_right = "view_audit"
    tenant_path = "pk"  # Of no tenant: the list offers none to choose.
    list_display = ("number", "sealed_at", "sha256", "key_id", "head_file")
    ordering = ("-number",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("number", "sealed_at", "sha256", "signed_header", "key_id", "signature_hex", "head_file")
    readonly_fields = ("sha256", "signed_header", "signature_hex", "head_file")
    change_list_template = "admin/cases/seal/change_list.html"

    def get_queryset(self, request: HttpRequest):
        seals = admin.ModelAdmin.get_queryset(self, request).defer("contents")
        return seals if rights_of(request).has(self.view_right) else seals.none()

    def _may(self, request: HttpRequest, right: str, obj: Seal | None) -> bool:
        return bool(right) and rights_of(request).has(right)

    def get_list_display(self, request: HttpRequest):
        columns = super().get_list_display(request)
        return (*columns, "rows") if rights_of(request).is_superuser else columns

    @admin.display(description="SHA-256")
    def sha256(self, seal: Seal) -> SafeString:
        return _code(seal.hex)

    @admin.display(description="Signed header")
    def signed_header(self, seal: Seal) -> SafeString:
        return _code(bytes(seal.header).decode(errors="replace"))

    @admin.display(description="Signature")
    def signature_hex(self, seal: Seal) -> SafeString:
        return _code(bytes(seal.signature).hex())

    @admin.display(description="Head")
    def head_file(self, seal: Seal) -> SafeString:
        return format_html('<a href="{}" download>Download</a>', reverse("admin:cases_seal_head", args=[seal.pk]))

    def get_urls(self):
        route = path("<int:number>/head/", self.admin_site.admin_view(self.head_view), name="cases_seal_head")
        return [route, *super().get_urls()]

    def head_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """A head as it is published, to be kept elsewhere."""
        seal = get_object_or_404(self.get_queryset(request), pk=number)
        name = f"seal-{seal.number:012d}.json"
        return HttpResponse(
            head_publishing.document(seal),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        verified = SealVerification.objects.order_by("-id").first()
        told = rights_of(request).within(HeadReceipt.objects.all(), self.view_right).order_by("-at").first()
        extra = {
            "standing": sealing.standing(db_now()),
            "verified": verified,
            "told": told,
            "removed": removal.last_of(rights_of(request).tenants(self.view_right)),
            "keys": _keys(),
        }
        return super().changelist_view(request, extra | (extra_context or {}))


def _code(text: str) -> SafeString:
    """Digits that may break anywhere."""
    return format_html('<span class="code">{}</span>', text)


def _keys() -> list[str]:
    """The trusted public keys, one line each; none where the list cannot be read, which the health page says."""
    try:
        return [audit_keys.line_of(public) for public in audit_keys.trusted_keys().values()]
    except audit_keys.KeyUnusable:
        return []


@admin.register(SealPublishing)
class SealPublishingAdmin(TrackedAdmin):
    """One row for each tenant: where it wants to be told the head."""

    view_right = "view_audit"
    change_right = "change_tenant"
    list_display = ("tenant_name", "to_folder", "to_webhooks", "to_channels", "every_hours")
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant",)}),
        ("Where the newest head is published", {"fields": ("to_folder", "to_webhooks", "to_channels")}),
        ("How often", {"fields": ("every_hours",)}),
    )

    @admin.display(description="Tenant", ordering="tenant__name")
    def tenant_name(self, row: SealPublishing) -> str:
        return str(row.tenant)


@admin.register(HeadReceipt)
class HeadReceiptAdmin(ReadOnlyAdmin):
    view_right = "view_audit"
    list_display = ("at", "seal", "left_as", "where_words")
    list_filter = ("way",)
    list_select_related = ("seal", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("at", "seal", "left_as", "where_words")
    readonly_fields = ("left_as", "where_words")

    @admin.display(description="Published as")
    def left_as(self, receipt: HeadReceipt) -> str:
        return receipt.get_way_display()

    @admin.display(description="What proves it")
    def where_words(self, receipt: HeadReceipt) -> SafeString:
        return _code(", ".join(f"{name} {value}" for name, value in sorted(receipt.detail.items())))
