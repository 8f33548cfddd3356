"""What the reviewer does with the case's actions in the same submit: a small form for each, beside the decision."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from approvals.binding import from_wire
from approvals.services.signing import REASON_LENGTH
from cases.vocabulary import Verdict

from ..actions import ShownAction
from ..services.reviews import ActionChoice

LEAVE, APPROVE, REJECT = "leave", "approve", "reject"
WORDS = {LEAVE: "Leave it to the approvers", APPROVE: "Approve it with this decision", REJECT: "Reject it"}
CONTRADICTION = "You approve the action of a case that you do not accept. Choose one of the two. Nothing was sent."


class ActionForm(forms.Form):
    """One action: left alone unless the person says otherwise, signed as it was shown."""

    do = forms.ChoiceField(
        label="What happens to the action", choices=list(WORDS.items()), required=False, widget=forms.RadioSelect
    )
    payload_hash = forms.CharField(required=False, max_length=71, widget=forms.HiddenInput)
    why = forms.CharField(label="Why, for the action’s record", required=False, max_length=REASON_LENGTH)

    def __init__(self, shown: ShownAction, data: Any = None, *, kept: Mapping[str, str] | None = None) -> None:
        self.shown = shown
        prefix = shown.action.wire_id
        initial = {"do": (kept or {}).get(prefix, LEAVE), "payload_hash": shown.hash}
        super().__init__(data, prefix=prefix, initial=initial, label_suffix="")
        if not shown.may_approve:
            self.fields["do"].widget.choices = [pair for pair in WORDS.items() if pair[0] != APPROVE]

    @property
    def hash(self) -> str:
        """What a signature is asked for next: what the page shows now."""
        return self.shown.hash

    def choice(self, notes: str) -> ActionChoice | None:
        """What a valid form asks for; None to leave the action alone. The review's notes explain it where nothing else
        does."""
        do = self.cleaned_data["do"] or LEAVE
        if do == LEAVE:
            return None
        return ActionChoice(
            action_id=self.shown.action.pk,
            approves=do == APPROVE,
            payload_hash=from_wire(self.cleaned_data["payload_hash"]),
            reason=self.cleaned_data["why"] or notes,
        )


class ActionForms:
    """The forms of all actions of a case. What was posted for one counts even where it is no longer offered: its
    service then says why not."""

    def __init__(
        self, actions: Sequence[ShownAction], data: Any = None, *, kept: Mapping[str, str] | None = None
    ) -> None:
        self.forms = [ActionForm(shown, data, kept=kept) for shown in actions]

    @property
    def offered(self) -> list[ActionForm]:
        return [form for form in self.forms if form.shown.may_decide]

    def is_valid(self, verdict: str) -> bool:
        """``verdict`` as it was sent; an empty one contradicts nothing."""
        if not all([form.is_valid() for form in self.forms]):
            return False
        for form in self.forms:
            if form.cleaned_data["do"] == APPROVE and verdict in (Verdict.REJECT, Verdict.NEEDS_EDIT):
                form.add_error("do", CONTRADICTION)
        return not any(form.errors for form in self.forms)

    def choices(self, notes: str) -> list[ActionChoice]:
        return [choice for form in self.forms if (choice := form.choice(notes)) is not None]

    def kept(self) -> dict[str, str]:
        """What was chosen, to offer it again: by the action's wire id."""
        return {form.prefix: form.cleaned_data["do"] for form in self.forms if form.cleaned_data.get("do")}
