"""What the labelling page shows of one correction, in a number of queries that does not grow with the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from cases.models import User
from cases.services.policies import rules_of
from cases.worddiff import Chunk, diff

from . import exhibits
from .labels import Label, Suggestion, suggest
from .models import CorrectionLabel, Review
from .wording import wall_clock

DIFFED = 20_000  # characters of both texts together, beyond which they are shown without their differences
LABELS = 20

_TEXTS = {
    "notes": "Notes",
    "policy_reason": "Policy reason",
    "missing_evidence": "Missing evidence",
    "better_retrieval_query": "Better search",
}


@dataclass(frozen=True)
class Choice:
    """One label as a button."""

    value: str
    words: str
    meaning: str
    key: str
    is_suggested: bool
    is_mine: bool


@dataclass(frozen=True)
class Said:
    """What somebody said of this correction before. ``number`` is set where it is the reader's own, to take it back."""

    who: str
    at: str
    label: str
    note: str
    is_import: bool
    is_taken_back: bool
    number: int | None


class LabelPage:
    """One correction before one person. ``review`` comes with case, draft, contents, policy version and tenant."""

    READS = (
        "tenant",
        "reviewer",
        "content",
        "case__content",
        "draft__content",
        "draft__policy_version",
    )

    def __init__(self, review: Review, user: User, now: datetime) -> None:
        self.review, self.case, self.user, self.now = review, review.case, user, now
        self._zone = ZoneInfo(review.tenant.time_zone)
        self._said = review.content.text

    def clock(self, at: datetime) -> str:
        return wall_clock(at, self._zone, self.now)

    @property
    def decided_at(self) -> str:
        return self.clock(self.review.created_at)

    @property
    def html_lang(self) -> str:
        return "" if self.case.language == "und" else self.case.language

    # --- what was asked, drafted and decided ----------------------------------------------------------------------

    @property
    def is_erased(self) -> bool:
        return self.case.content.is_erased

    @property
    def question(self) -> str:
        return self.case.content.text.get("user_question") or ""

    @property
    def draft(self) -> str:
        return self.review.draft.content.text.get("model_draft") or ""

    @property
    def answer(self) -> str:
        return self._said.get("final_answer") or ""

    @cached_property
    def changes(self) -> list[Chunk]:
        """From the draft to the person's answer, word by word; empty where there is no answer, or too much text."""
        if not self.answer or len(self.draft) + len(self.answer) > DIFFED:
            return []
        return diff(self.draft, self.answer)

    @property
    def decisions(self) -> tuple[str, str] | None:
        """The AI's decision and the person's, where they differ."""
        before, after = self.review.draft.model_decision, self.review.final_decision
        return (before or "none", after) if after and before != after else None

    # --- why ------------------------------------------------------------------------------------------------------

    @cached_property
    def reason(self) -> str:
        rules = rules_of(self.review.draft.policy_version)
        words = dict(rules.reason_codes) if rules else {}
        return words.get(self.review.reason_code, self.review.reason_code)

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(words, self._said[name]) for name, words in _TEXTS.items() if self._said.get(name)]

    @cached_property
    def evidence(self) -> list[tuple[exhibits.Evidence, bool]]:
        """What the AI had, and whether the review marks it as wrong."""
        wrong = set(self._said.get("incorrect_evidence") or [])
        items = exhibits.evidence_of(self.review.draft.content.text.get("evidence") or [])
        return [(item, item.document_id in wrong) for item in items]

    @property
    def wrong_elsewhere(self) -> list[str]:
        """Documents that the review marks as wrong and the draft no longer shows."""
        shown = {item.document_id for item, _ in self.evidence}
        return [name for name in self._said.get("incorrect_evidence") or [] if name not in shown]

    # --- the labels -----------------------------------------------------------------------------------------------

    @cached_property
    def suggestion(self) -> Suggestion | None:
        return suggest(self._said)

    @cached_property
    def _rows(self) -> Sequence[CorrectionLabel]:
        rows = CorrectionLabel.objects.filter(review=self.review.pk).exclude(label="")
        return list(rows.select_related("labelled_by", "note", "superseded_by").order_by("-id")[:LABELS])

    @cached_property
    def said_before(self) -> list[Said]:
        return [self._one(row) for row in self._rows]

    def _one(self, row: CorrectionLabel) -> Said:
        is_taken_back = getattr(row, "superseded_by", None) is not None
        return Said(
            who=str(row.labelled_by),
            at=self.clock(row.at),
            label=row.get_label_display(),
            note=row.note.text.get("note", "") if row.note else "",
            is_import=row.source == CorrectionLabel.Source.IMPORT,
            is_taken_back=is_taken_back,
            number=row.pk if row.labelled_by_id == self.user.pk and not is_taken_back else None,
        )

    @cached_property
    def mine(self) -> str:
        """What this person last said and has not taken back."""
        return next((row.label for row, said in zip(self._rows, self.said_before, strict=True) if said.number), "")

    @property
    def choices(self) -> list[Choice]:
        suggested = self.suggestion.label if self.suggestion else None
        return [
            Choice(label, label.label, label.meaning, str(key), label == suggested, label == self.mine)
            for key, label in enumerate(Label, start=1)
        ]
