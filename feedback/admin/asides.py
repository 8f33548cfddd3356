"""Setting a case aside on the review page: the forms of ``entry_actions``, and what each calls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms

from cases.errors import CountersignError
from cases.models import User
from queues.services import asides, available, consults, handing_up
from queues.services.available import EntryAction

from ..page import Page

SNOOZES = ((15, "15 minutes"), (30, "30 minutes"), (60, "1 hour"), (120, "2 hours"), (240, "4 hours"), (480, "8 hours"))
WAITS = ((1, "1 hour"), (2, "2 hours"), (4, "4 hours"), (8, "8 hours"), (24, "24 hours"))

# Beside those of the verdicts (a, e, r, n) and of places on the page (o, t, v, x).
KEYS = {
    available.SKIP.name: "s",
    available.SNOOZE.name: "z",
    available.CONSULT.name: "c",
    available.DECLINE.name: "d",
    available.HAND_UP.name: "u",
    available.RELEASE.name: "g",
    available.ANSWER.name: "w",
}
REASONLESS = frozenset({available.SNOOZE.name, available.RELEASE.name})  # may go without a reason


def _words(label: str, rows: int = 2, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=asides.REASON_LENGTH, widget=forms.Textarea(attrs={"rows": rows}), **kwargs
    )


class AsideForm(forms.Form):
    """One action with the fields that it needs; hidden by default, and open again where something was refused."""

    use_required_attribute = False

    def __init__(self, page: Page, action: EntryAction, data: Any = None) -> None:
        self.page, self.action = page, action
        super().__init__(data, auto_id=f"{action.name}_%s", label_suffix="")
        for name in action.needs:
            self.fields[name] = self._field(name)

    def _field(self, name: str) -> forms.Field:
        match name:
            case "until":
                left = (self.page.entry.due_at - self.page.now) / timedelta(minutes=1)
                fitting = [choice for choice in SNOOZES if choice[0] < left]
                return forms.TypedChoiceField(label="For", choices=fitting, coerce=int)
            case "hours":
                return forms.TypedChoiceField(label="Wait at most", choices=WAITS, coerce=int, initial=consults.HOURS)
            case "colleague":
                people = consults.colleagues(self.page.user, self.page.case.tenant)
                return forms.ChoiceField(
                    label="Colleague", choices=[("", "Choose"), *((u.username, str(u)) for u in people)]
                )
            case "question":
                return _words("Your question")
            case "answer":
                return _words("Your answer", rows=4)
        return _words("Reason", required=self.action.name not in REASONLESS)

    @property
    def key(self) -> str:
        """The key that opens the form; it sends nothing."""
        return KEYS.get(self.action.name, "")

    @property
    def is_impossible(self) -> str:
        """Why it cannot be done at all, where it cannot."""
        if "until" in self.fields and not self.fields["until"].choices:
            return "The deadline is too near to put the case off."
        return ""

    def refuse(self, error: CountersignError) -> None:
        """Put a service's refusal next to its field."""
        name = (error.pointer or "").removeprefix("/")
        self.add_error(name if name in self.fields else None, error.message)

    def run(self, case_id: UUID, user: User, generation: int) -> str:
        """Do it; returns what to tell. Raises what the service raises."""
        values = self.cleaned_data
        claim = (case_id, user, generation)
        return _RUN[self.action.name](claim, values, self.page)


def _skip(claim, values, page) -> str:
    asides.skip(*claim, reason=values["reason"])
    return "Skipped. The case waits in its old place, for somebody else."


def _snooze(claim, values, page) -> str:
    until = page.now + timedelta(minutes=values["until"])
    asides.snooze(*claim, until=until, reason=values["reason"])
    return f"Snoozed until {page.clock(until)}. The case stays yours, and its deadline goes on running."


def _consult(claim, values, page) -> str:
    asked = consults.ask(*claim, colleague=values["colleague"], question=values["question"], hours=values["hours"])
    colleague = consults.colleague_named(values["colleague"], page.case.tenant)
    instead = "" if asked.colleague_id == colleague.pk else f", who stands in for {colleague}"
    return f"{asked.colleague} was asked{instead}. The clock stands until {page.clock(asked.answer_by)} at most."


def _decline(claim, values, page) -> str:
    asides.decline(*claim, reason=values["reason"])
    return "Declined. The case is not given to you again, and supervisors see the reason."


def _hand_up(claim, values, page) -> str:
    to = handing_up.hand_up(*claim, reason=values["reason"])
    return f"Escalated to {to}." if to else "Escalated. It waits in front, and supervisors are told."


def _give_back(claim, values, page) -> str:
    asides.give_back(*claim, reason=values["reason"])
    return "The case is back in its queue, in its old place."


def _stop_waiting(claim, values, page) -> str:
    consults.stop_waiting(*claim[:2])
    return "The clock runs again, and the case is kept for you: take it to go on."


def _answer(claim, values, page) -> str:
    consults.answer(*claim[:2], text=values["answer"])
    return "Answered. The clock runs again."


_RUN: dict[str, Callable[[tuple, dict[str, Any], Page], str]] = {
    available.SKIP.name: _skip,
    available.SNOOZE.name: _snooze,
    available.CONSULT.name: _consult,
    available.DECLINE.name: _decline,
    available.HAND_UP.name: _hand_up,
    available.RELEASE.name: _give_back,
    available.STOP_WAITING.name: _stop_waiting,
    available.ANSWER.name: _answer,
}


def forms_of(page: Page, bound: AsideForm | None = None) -> list[AsideForm]:
    """A form for each action that ``page`` offers."""
    return [bound if bound and bound.action == action else AsideForm(page, action) for action in page.entry_actions]
