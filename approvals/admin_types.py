"""Action types in the back office: parameters, impact rules, and the executor with its secret and a trial."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from cases.admin.forms import TrackedForm
from cases.admin.scoped import ScopedInline, TrackedAdmin, refuse
from cases.currencies import CODES, fits
from cases.errors import CountersignError
from cases.permissions import require
from cases.wire.forms import IndentedJSON, StrictJSONFormField

from .executors.python import names
from .facts import rule_of
from .impact import Rule
from .models import ActionType, ImpactRule
from .schema_form import ParamsForm, schema_form
from .services import types
from .services.trial import try_rules
from .services.wishes import waits

SCHEMA_HELP = (
    "JSON Schema (2020-12). Each property becomes a field for those who approve, with its title and description. "
    'Write amounts as {"type": "string", "format": "decimal"}. References only within the schema.'
)


TRY = "_try"  # the button that judges past actions by rules that are not saved


class ImpactRuleInline(ScopedInline):
    model = ImpactRule
    verbose_name_plural = "impact rules: the first that holds decides; where none does, the impact is critical"
    fields = (
        "position",
        "condition",
        "impact",
        "approvals",
        "authority_code",
        "decide_minutes",
        "valid_minutes",
        "may_run_alone",
    )

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "condition":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 2, "class": "cel", "spellcheck": "false"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class ActionTypeForm(TrackedForm):
    schema = StrictJSONFormField(
        max_bytes=40_000,
        encoder=IndentedJSON,
        help_text=SCHEMA_HELP,
        widget=forms.Textarea(attrs={"rows": 14, "cols": 90, "class": "lines", "spellcheck": "false"}),
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "schema" in self.fields and self.instance._state.adding:
            self.initial["schema"] = {"type": "object", "properties": {}, "required": []}
        if "executor" in self.fields:
            known = ", ".join(names()) or "none"
            self.fields["executor"].widget.attrs = {
                "class": "vLargeTextField",
                "maxlength": "500",
                "spellcheck": "false",
            }
            self.fields["executor"].help_text = (
                "For a service its address, HTTPS and public: /preview, /execute and /lookup are put behind it. "
                f"For Python a name that this server's settings know: {known}."
            )

    def _post_clean(self) -> None:
        super()._post_clean()
        if TRY in self.data:
            self.add_error(None, ValidationError("Nothing was saved: this is a trial.", code="trial"))

    def clean(self) -> dict:
        cleaned = super().clean()
        if "executor_kind" in cleaned and "executor" in cleaned:
            try:
                types.check_executor(cleaned["executor_kind"], cleaned["executor"])
            except types.ExecutorInvalid as error:
                self.add_error("executor", error.message)
        return cleaned


class MoneyForm(forms.Form):
    """What stands beside the parameters of an action."""

    amount = forms.CharField(
        required=False,
        max_length=20,
        help_text="Such as 42.00; empty for an action without money.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.CharField(required=False, max_length=3, help_text="ISO 4217, such as USD.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        amount, currency = cleaned.get("amount") or None, (cleaned.get("currency") or "").upper() or None
        if (amount is None) != (currency is None):
            raise ValidationError("Enter the amount and its currency together.")
        if amount is not None:
            try:
                number = Decimal(amount)
            except InvalidOperation:
                raise ValidationError({"amount": "Enter an amount such as 42.00."}) from None
            if currency not in CODES:
                raise ValidationError({"currency": "Enter an ISO 4217 code such as USD."})
            if not number.is_finite() or number <= 0 or not fits(number, currency):
                raise ValidationError({"amount": f"Enter an amount above 0 with no more digits than {currency} has."})
            amount = format(number, "f")
        return cleaned | {"amount": amount, "currency": currency}


@admin.register(ActionType)
class ActionTypeAdmin(TrackedAdmin):
    """The secret is made here and shown in one answer; a change of secret lets the one before sign along."""

    view_right = "view_action"
    change_right = "change_action"
    form = ActionTypeForm
    inlines = (ImpactRuleInline,)
    list_display = ("title", "name", "executor_kind", "is_active")
    list_filter = ("is_active", "executor_kind")
    list_select_related = ("tenant",)
    search_fields = ("title", "name")
    fieldsets = (
        (None, {"fields": ("tenant", "title", "name", "is_active")}),
        ("Parameters", {"fields": ("schema",)}),
        (
            "What carries it out",
            {
                "fields": ("executor_kind", "executor", ("executor_timeout_seconds", "honours_keys")),
                "description": "A change here, or of the parameters, sends what was approved before it back to people.",
            },
        ),
    )
    change_form_template = "admin/approvals/actiontype/change_form.html"

    def get_readonly_fields(self, request: HttpRequest, obj: ActionType | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "name") if obj else fixed

    def save_model(self, request: HttpRequest, obj: ActionType, form, change: bool) -> None:
        """A new type is saved for its rules to point at; ``save_related`` publishes the whole."""
        obj._had_secret = bool(obj.executor_secret)
        if not change and waits(obj, request.user):
            obj.save_as(request.user, form.cleaned_data["reason"])  # Rolled back, once its rules are known.
        elif not change:
            types.publish(obj, actor=request.user, reason=form.cleaned_data["reason"])

    def save_related(self, request: HttpRequest, form, formsets, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        types.publish(form.instance, actor=request.user, reason=form.cleaned_data["reason"])

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        action_type = kwargs.get("obj")
        if action_type is not None and TRY in request.POST:
            rules = _rules_in(context["inline_admin_formsets"])
            if rules is not None:
                context |= {"errors": [], "trial": try_rules(action_type, rules)}
        return super().render_change_form(request, context, **kwargs)

    def response_add(self, request: HttpRequest, obj: ActionType, post_url_continue=None) -> HttpResponse:
        return self._first_secret(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ActionType) -> HttpResponse:
        return self._first_secret(request, obj) or super().response_change(request, obj)

    def _first_secret(self, request: HttpRequest, obj: ActionType) -> HttpResponse | None:
        if obj.executor_secret and not obj._had_secret:
            return self._show_once(request, obj, obj.executor_secret)
        return None

    # --- what its buttons do ---------------------------------------------------------------------------------------

    def get_urls(self):
        views = {"try": self.try_view, "new-secret": self.new_secret_view, "remove-previous": self.remove_previous_view}
        return [
            path(
                f"<uuid:type_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"approvals_actiontype_{name.replace('-', '_')}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def new_secret_view(self, request: HttpRequest, type_id: UUID) -> HttpResponse:
        return self._do(request, type_id, types.rotate_secret, self._show_once)

    def remove_previous_view(self, request: HttpRequest, type_id: UUID) -> HttpResponse:
        return self._do(request, type_id, types.remove_previous_secret, self._say_removed)

    def _do(
        self, request: HttpRequest, type_id: UUID, service: Callable[..., Any], show: Callable[..., Any]
    ) -> HttpResponse:
        """POST only: call ``service`` and ``show`` what it returns; without an answer of its own, the page again."""
        action_type = self.get_queryset(request).filter(pk=type_id).first()
        if action_type is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(type_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            done = service(action_type.pk, actor=request.user)
        except CountersignError as error:
            refuse(request, error)
        else:
            if answer := show(request, action_type, done):
                return answer
        return redirect("admin:approvals_actiontype_change", action_type.pk)

    def _say_removed(self, request: HttpRequest, action_type: ActionType, done: None) -> None:
        messages.success(request, "Removed. Only the present secret signs now.")

    def _show_once(self, request: HttpRequest, action_type: ActionType, secret: str) -> HttpResponse:
        """In this answer and nowhere else: a message would leave it in a cookie."""
        return self._page(request, "secret", action_type, title="Signing secret", secret=secret)

    def try_view(self, request: HttpRequest, type_id: UUID) -> HttpResponse:
        """Parameters by the schema's form, and what the executor says they would do. Nothing is stored or executed."""
        action_type = self.get_queryset(request).select_related("tenant").filter(pk=type_id).first()
        if action_type is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(type_id))
        try:
            require(request.user, self.change_right, action_type.tenant)
        except CountersignError as error:
            refuse(request, error)
        data = request.POST if request.method == "POST" else None
        money, params = MoneyForm(data), schema_form(action_type.schema, example_of(action_type.schema), data)
        trial, problem = None, ""
        if data is not None and all([money.is_valid(), params.is_valid()]):
            trial, problem = self._try(request, action_type, money, params)
        context = {"money": money, "params": params, "trial": trial, "problem": problem}
        return self._page(request, "try", action_type, title="Try a preview", **context)

    def _try(
        self, request: HttpRequest, action_type: ActionType, money: MoneyForm, params: ParamsForm
    ) -> tuple[types.Trial | None, str]:
        try:
            asked = {"amount": money.cleaned_data["amount"], "currency": money.cleaned_data["currency"]}
            return types.try_preview(action_type.pk, params=params.params, **asked, actor=request.user), ""
        except CountersignError as error:
            return None, error.message

    def _page(self, request: HttpRequest, name: str, action_type: ActionType, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "action_type": action_type}
        return TemplateResponse(request, f"admin/approvals/actiontype/{name}.html", context)


def _rules_in(inlines: Any) -> list[Rule] | None:
    """The impact rules as they stand in the page's form, in their order; None where one of them is wrong."""
    formset = next(inline.formset for inline in inlines if inline.formset.model is ImpactRule)
    if not formset.is_valid():
        return None
    kept = [form for form in formset.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
    rows = [form.instance for form in kept if form.has_changed() or form.instance.pk]
    return [rule_of(row) for row in sorted(rows, key=lambda row: (row.position, row.pk or float("inf")))]


def example_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What a trial starts with: the schema's first example, else its properties' defaults and examples."""
    examples = schema.get("examples")
    if isinstance(examples, list) and examples and isinstance(examples[0], dict):
        return examples[0]
    found = {}
    for name, node in schema.get("properties", {}).items():
        if not isinstance(node, dict):
            continue
        if "default" in node:
            found[name] = node["default"]
        elif isinstance(node.get("examples"), list) and node["examples"]:
            found[name] = node["examples"][0]
    return found
