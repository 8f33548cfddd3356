"""The form behind every page that changes something: a reason, and no overwriting of what somebody else has saved."""

from django import forms
from django.db.models import QuerySet

from ..history import REASON_LENGTH
from ..models import User

STALE = (
    "%(who)s saved this at %(at)s UTC, after you had opened it. Nothing of yours was saved. "
    "Open the page again in another tab, and enter your change there."
)


def of_tenants(choices: QuerySet, tenants: QuerySet) -> QuerySet:
    """The rows among ``choices`` that belong to ``tenants``; people belong to them by an active membership."""
    model = choices.model
    if model is User:
        member = User.objects.filter(memberships__tenant__in=tenants, memberships__is_active=True)
        return choices.filter(pk__in=member.values("pk"), is_active=True).order_by("username")
    if any(column.name == "tenant" for column in model._meta.fields):
        return choices.filter(tenant__in=tenants)
    return choices


class TrackedForm(forms.ModelForm):
    """Adds the reason and, on an existing row, the newest history entry that the page was drawn from."""

    reason = forms.CharField(
        label="Reason for this change",
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Stands in the history beside your name.",
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            newest = self._newest()
            self.fields["seen"].initial = newest.pk if newest else None
        elif "reason" in self.fields:
            self.fields["reason"].initial = "created"

    def _newest(self):
        return self.instance.history.order_by("-history_id").first()

    def _get_validation_exclusions(self) -> set[str]:
        # The tenant is no field of an existing row's form; without it here, "unique per tenant" would go unchecked.
        return super()._get_validation_exclusions() - {"tenant"}

    def clean(self) -> dict:
        cleaned = super().clean()
        if not self.instance._state.adding:
            newest = self._newest()
            if newest and newest.pk != self.cleaned_data.get("seen"):
                raise forms.ValidationError(
                    STALE, params={"who": newest.history_user or "Somebody", "at": f"{newest.history_date:%H:%M}"}
                )
        self._stay_at_home()
        return cleaned

    def _stay_at_home(self) -> None:
        """A link to another tenant's row. The choices leave them out; a page open in two tenants may mix them up."""
        tenant_id = getattr(self.cleaned_data.get("tenant"), "pk", None) or getattr(self.instance, "tenant_id", None)
        for name, value in list(self.cleaned_data.items()):
            if tenant_id and getattr(value, "tenant_id", tenant_id) != tenant_id:
                self.add_error(name, "This belongs to another tenant.")
