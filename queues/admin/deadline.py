"""A case's deadline by hand: the form of a supervisor, beside what the customer and the caller were told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from cases.admin.fields import MomentField
from cases.admin.wording import span_words
from cases.models import Promise

from ..models import Entry
from ..services.supervision import FURTHEST, REASON_LENGTH


class DeadlineForm(forms.Form):
    """``seen`` is the deadline that stood on the page: one that somebody changed meanwhile is not overwritten."""

    due_at = MomentField(
        label="Due (UTC)", required=True, help_text=f"From now on, at most {FURTHEST.days} days ahead."
    )
    reason = forms.CharField(max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2}))
    seen = forms.DateTimeField(widget=forms.HiddenInput)

    def __init__(self, entry: Entry, data: Any = None) -> None:
        initial = {"due_at": entry.due_at, "seen": entry.due_at.isoformat()}
        super().__init__(data, initial=initial, auto_id="deadline_%s", label_suffix="")


@dataclass(frozen=True)
class Waiting:
    """How long it is taking, for who weighs a deadline: the customer's time, which no pause stops, beside the clock's.

    ``promised_by`` is what the customer was last told; ``wanted_by`` the caller's own deadline.
    """

    customer: str
    stood_still: str
    promised_by: datetime | None
    wanted_by: datetime | None
    is_beyond_promise: bool


def waiting_of(entry: Entry, now: datetime) -> Waiting:
    """One query."""
    is_review = entry.kind == Entry.Kind.REVIEW
    promised_by = (
        Promise.objects.filter(case=entry.case_id).order_by("-id").values_list("by", flat=True).first()
        if is_review
        else None
    )
    stood = entry.paused_seconds + ((now - entry.paused_at).total_seconds() if entry.paused_at else 0)
    return Waiting(
        customer=span_words(_minutes((now - entry.entered_at).total_seconds())) if is_review else "",
        stood_still=span_words(_minutes(stood)) if stood >= 60 else "",
        promised_by=promised_by,
        wanted_by=entry.case.wanted_by if is_review else None,
        is_beyond_promise=promised_by is not None and entry.due_at > promised_by,
    )


def _minutes(seconds: float) -> int:
    return max(0, round(seconds / 60))
