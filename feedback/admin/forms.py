"""The decision form: what the review page sends, translated into a ``Submission``."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.utils import ErrorDict

from cases.errors import CountersignError
from cases.vocabulary import Kind, Verdict

from ..checklist import Finding, as_checked, documents_of
from ..page import Page
from ..submission import Submission

TEXT_BOUNDS = {
    "final_answer": 200_000,
    "policy_reason": 2_000,
    "notes": 10_000,
    "missing_evidence": 10_000,
    "better_retrieval_query": 2_000,
}
FOLDED = ("policy_reason", "missing_evidence", "better_retrieval_query")
KEPT = frozenset(TEXT_BOUNDS) | {"final_decision", "reason_code"}
CONTRADICTION = (
    "You changed this, and Accept would send the draft as it was. Choose Edit to send your version, "
    "or put the draft back. Nothing was sent."
)


def _text(name: str, label: str, rows: int, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=False,
        max_length=TEXT_BOUNDS[name],
        widget=forms.Textarea(attrs={"rows": rows}),
        **kwargs,
    )


class DecisionForm(forms.Form):
    """Everything a review captures. What counts is checked by ``submission.check``; here only the form's own shape."""

    use_required_attribute = False
    HIDDEN = frozenset({"generation", "displayed"})
    error_css_class = "error"

    verdict = forms.ChoiceField(
        choices=Verdict, error_messages={"required": "Choose a verdict: accept, edit, reject or ask for a new draft."}
    )
    generation = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    displayed = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)
    final_decision = forms.CharField(label="Decision", required=False, max_length=100)
    final_answer = _text("final_answer", "Answer to the customer", 9)
    reason_code = forms.CharField(label="Reason", required=False, max_length=50)
    notes = _text("notes", "Notes", 2)
    policy_reason = _text("policy_reason", "What the policy says", 2)
    missing_evidence = _text("missing_evidence", "Missing evidence", 2)
    better_retrieval_query = _text("better_retrieval_query", "A search that would have found it", 1)
    no_evidence_applies = forms.BooleanField(label="None of the evidence applies", required=False)
    take_next = forms.BooleanField(label="Then take the next case", required=False, initial=True)

    def __init__(self, page: Page, data: Any = None, *, start: Mapping[str, str] | None = None) -> None:
        """``start`` is what stands in the fields instead of the draft, or of what was kept."""
        self.page = page
        initial = _initial(page) | dict(start or {}) if data is None else None
        super().__init__(data, initial=initial, label_suffix="")
        self.fields["final_answer"].widget.attrs |= {"dir": "auto", "lang": page.html_lang or None}
        if page.entry is not None:
            self._offer()

    def _offer(self) -> None:
        codes = enumerate(self.page.reason_codes, start=1)
        words = [(code, f"{position} · {label}") for position, (code, label) in codes]
        self.fields["reason_code"].widget = forms.Select(choices=[("", "No reason chosen"), *words])
        shown = self.page.shown
        own = [shown.model_decision] if shown.model_decision else []
        if shown.decision_options:  # Without options of the policy any word is a decision.
            options = dict.fromkeys([*own, *shown.decision_options])
            named = [(name, f"{name} (the AI’s)" if name in own else name) for name in options]
            first = [] if own else [("", "No decision chosen")]
            self.fields["final_decision"].widget = forms.Select(choices=[*first, *named])

    @property
    def is_decision(self) -> bool:
        return self.page.case.kind == Kind.DECISION

    @property
    def has_more(self) -> bool:
        """Whether one of the folded fields holds something."""
        return any(self[name].value() or self[name].errors for name in FOLDED)

    def typed(self) -> list[tuple[str, str]]:
        """What was sent, for a page that can no longer take it: labels and texts."""
        named = [(field.label, field.value() or "") for field in self.visible_fields() if field.name in KEPT]
        return [(label, text) for label, text in named if text.strip()] if self.is_bound else []

    @property
    def wrong_evidence(self) -> list[str]:
        """The document ids that are ticked as wrong, as typed or as kept."""
        return self._listed("incorrect_evidence")

    @property
    def findings(self) -> dict[str, str]:
        """What each cited document is marked as, as typed or as kept; by document."""
        if not self.is_bound:
            return dict(self.initial.get("checked_evidence", ()))
        documents = documents_of(self.page.draft.content.text.get("evidence") or [])
        sent = {name: self.data.get(f"finding_{place}", "") for place, name in enumerate(documents, start=1)}
        return {name: finding for name, finding in sent.items() if finding in Finding.values}

    def _listed(self, name: str) -> list[str]:
        if self.is_bound:
            return self.data.getlist(name)[:200]
        return self.initial.get(name, [])

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        # A browser sends every line end as CR LF, and a draft may hold any; an untouched draft stays byte for byte.
        answer = _one_line_end(values.get("final_answer", ""))
        draft = self.page.answer
        values["final_answer"] = draft if answer == _one_line_end(draft) else answer
        for name in TEXT_BOUNDS.keys() - {"final_answer"}:
            values[name] = _one_line_end(values.get(name, ""))
        if values.get("verdict") == Verdict.ACCEPT and self._shows_current_draft(values):
            self._refuse_contradiction(values)
        return values

    def _shows_current_draft(self, values: dict[str, Any]) -> bool:
        """Otherwise the service refuses, and says that a newer draft has arrived."""
        return self.page.entry is not None and values.get("displayed") == self.page.digest

    def _refuse_contradiction(self, values: dict[str, Any]) -> None:
        """Accept takes the AI's own: somebody who typed another answer would lose it without a word."""
        if self.page.shown.has_draft and values["final_answer"].strip() not in ("", self.page.answer.strip()):
            self.add_error("final_answer", CONTRADICTION)
        if values.get("final_decision", "") not in ("", self.page.shown.model_decision):
            self.add_error("final_decision", CONTRADICTION)

    def unfinished(self) -> Submission | None:
        """What stands in the form so far, with or without a verdict; None where a field could not be kept."""
        return None if self.errors.keys() & KEPT else self.submission()

    def why_not_kept(self) -> str:
        wrong = [f"{self[name].label}: {' '.join(self.errors[name])}" for name in self.errors.keys() & KEPT]
        return f"Not saved. {' '.join(sorted(wrong))}"

    def submission(self) -> Submission:
        """What a valid form hands in."""
        values = self.cleaned_data
        return Submission(
            verdict=values.get("verdict") or "",
            **{name: values[name] for name in (*TEXT_BOUNDS, "final_decision", "reason_code")},
            no_evidence_applies=values["no_evidence_applies"],
            checked_evidence=tuple(self.findings.items()),
            incorrect_evidence=tuple(dict.fromkeys(name for name in self.wrong_evidence if len(name) <= 200)),
        )

    def refuse(self, error: CountersignError) -> None:
        """Put a service's refusal next to its field; the draft that was left as it was follows the newest one."""
        self.full_clean()
        name = (error.pointer or "").removeprefix("/")
        self.add_error(name if name in self.fields and name not in self.HIDDEN else None, error.message)
        self._follow_newest_draft()

    def forgive(self) -> None:
        """Show what was typed without judging it."""
        self.full_clean()
        self._errors = ErrorDict()
        self._follow_newest_draft()

    def _follow_newest_draft(self) -> None:
        if _is_earlier_draft(self.page, self.data.get("final_answer", "")):
            self.data = self.data.copy()
            self.data["final_answer"] = self.page.answer

    @property
    def displayed_digest(self) -> bytes:
        return bytes.fromhex(self.cleaned_data["displayed"])


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _initial(page: Page) -> dict[str, Any]:
    """The draft to start from, or what this person had written before the case slipped away."""
    initial = {"final_answer": page.answer, "final_decision": page.draft.model_decision}
    if not page.is_decidable:
        return initial
    if page.kept:
        kept = page.kept.content.text
        if _is_earlier_draft(page, kept.get("final_answer") or ""):
            kept = kept | {"final_answer": ""}
        initial |= {name: kept[name] for name in (*TEXT_BOUNDS, "final_decision", "reason_code") if kept.get(name)}
        initial["incorrect_evidence"] = kept.get("incorrect_evidence") or []
        initial["checked_evidence"] = as_checked(kept.get("checked_evidence"))
        initial["no_evidence_applies"] = bool(kept.get("no_evidence_applies"))
    return initial


def _is_earlier_draft(page: Page, text: str) -> bool:
    """Whether ``text`` is a draft that a newer one has replaced: nobody wrote it here."""
    typed = _one_line_end(text)
    earlier = (draft.content.text.get("model_draft") or "" for draft in page.past.drafts)
    return bool(typed) and any(typed == _one_line_end(draft) for draft in earlier)
