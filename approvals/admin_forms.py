"""What the approve page's forms send."""

from decimal import Decimal
from typing import Any

from django import forms

from .admin_types import MoneyForm
from .binding import from_wire
from .models import ProposedAction
from .schema_form import ParamsForm, schema_form
from .services.edits import Edit
from .services.reconciling import EVIDENCE_LENGTH
from .services.signing import REASON_LENGTH
from .wording import money_text


class DeedForm(forms.Form):
    """A reason, and the hash of what was shown: it goes with every signature."""

    payload_hash = forms.CharField(required=False, max_length=71, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False,
        strip=False,
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    @property
    def seen(self) -> bytes | None:
        """The posted hash; None where it is empty or no hash."""
        return from_wire(self.cleaned_data["payload_hash"])


class EditForm:
    """The parameters by their schema, the money, and why; three Django forms behind one button."""

    def __init__(self, action: ProposedAction, params: dict[str, Any], data: Any = None) -> None:
        kind = action.action_type
        self.params: ParamsForm = schema_form(kind.schema if kind else {}, params, data)
        money = {"amount": money_text(action.amount, action.currency), "currency": action.currency}
        self.money = MoneyForm(data, initial=money)
        self.why = DeedForm(data)

    def is_valid(self) -> bool:
        return all([self.params.is_valid(), self.money.is_valid(), self.why.is_valid()])

    @property
    def change(self) -> Edit:
        """What a valid form asks for."""
        amount, currency = self.money.cleaned_data["amount"], self.money.cleaned_data["currency"]
        return Edit(self.params.params, Decimal(amount) if amount else None, currency or "")


class EvidenceForm(forms.Form):
    """What shows that an action took place or did not."""

    evidence = forms.CharField(
        required=False,
        strip=False,
        max_length=EVIDENCE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A reference, who was asked, what was seen.",
    )
