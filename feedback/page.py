"""What the review page shows of one case to one person, in a number of queries that does not grow with the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.utils.translation import get_language_info

from cases import outcome
from cases.clock import db_now
from cases.models import Case, CaseEvent, Draft, User
from cases.permissions import fields_visible_to
from cases.reasons import number
from cases.services.meanwhile import last_message, told_meanwhile
from cases.services.policies import rules_of
from cases.states import DECIDED, State
from cases.untrusted import is_unseen
from cases.vocabulary import Route, Trigger, Verdict
from cases.worddiff import Chunk, diff
from queues.models import Claim, Entry
from queues.services.available import EntryAction, entry_actions
from queues.services.consults import last_words
from queues.services.fitness import fitness_of

from . import exhibits
from .actions import ShownAction, actions_of
from .models import Review, ReviewDraft
from .seeing import hides_votes, reviews_visible_to, without_votes
from .services.reviews import is_undecided, shown_to, undo_left
from .submission import Shown
from .timeline import Line, timeline
from .wording import Deadline, deadline, wall_clock

EVENTS = 50
CLAIMS = 50
REVIEWS = 20
DRAFTS = 20
UNDOABLE = (Review.Kind.DECISION, Review.Kind.VOTE)
CONSULTATIONS = 10
DIFFED = 20_000  # characters of both texts together, beyond which an edit is shown without its diff

_TEXTS = {
    "notes": "Notes",
    "policy_reason": "Policy reason",
    "missing_evidence": "Missing evidence",
    "better_retrieval_query": "Better search",
}


@dataclass(frozen=True)
class PastReview:
    """A review of this case: its words, and the changes that it made to the draft."""

    who: str
    at: str
    verdict: str
    is_undo: bool
    is_undone: bool
    decision: str
    reason: str
    texts: list[tuple[str, str]]
    wrong: list[str]
    answer: str
    changes: list[Chunk]


@dataclass(frozen=True)
class Choice:
    """One verdict as a button. ``why_not`` says why it is no choice here."""

    value: str
    label: str
    key: str
    why_not: str = ""


class Page:
    """One case before one person at ``now``. Made by ``page_of``; its parts are worked out when drawn."""

    def __init__(self, case: Case, user: User, now: datetime) -> None:
        self.case, self.user, self.now = case, user, now
        self.draft: Draft = case.current_draft
        self.zone = ZoneInfo(case.tenant.time_zone)
        self.entry = Entry.objects.select_related("queue", "claimed_by", "kept_for").filter(case=case).first()
        self.visible = fields_visible_to(user, case)

    # --- who has it, until when ---------------------------------------------------------------------------------

    @property
    def is_mine(self) -> bool:
        return self.entry is not None and self.entry.claimed_by_id == self.user.pk

    @property
    def is_audit(self) -> bool:
        """A sample of the automatic approvals, looked at afterwards."""
        return self.entry is not None and self.entry.kind == Entry.Kind.AUDIT

    @property
    def is_decidable(self) -> bool:
        return self.is_mine and is_undecided(self.case, self.entry)

    @cached_property
    def may_take(self) -> bool:
        """Whether to offer this case; the claim itself asks again."""
        if self.entry is None or self.entry.claimed_by_id or self.entry.paused_at:
            return False
        if self.entry.kept_for_id not in (None, self.user.pk):
            return False
        fitness = fitness_of(self.user, self.case.tenant)
        return fitness is not None and fitness.is_working and fitness.fits(self.entry)

    @property
    def holder(self) -> str:
        """Who has it, in words, for somebody who does not."""
        entry = self.entry
        if entry is None:
            return f"{State(self.case.state).label}; it waits for nobody."
        if entry.claimed_by_id:
            return f"{entry.claimed_by} has this case until {self.clock(entry.lease_expires_at)}."
        if entry.paused_at:
            return f"On hold since {self.clock(entry.paused_at)}: {entry.pause_reason.replace('_', ' ')}."
        if entry.kept_for_id:
            return f"Kept for {entry.kept_for} until {self.clock(entry.kept_until)}."
        return "Nobody has this case yet."

    @property
    def lease_until(self) -> str:
        return self.clock(self.entry.lease_expires_at)

    @property
    def is_lease_over(self) -> bool:
        """Run out, and still the reviewer's until the sweep or somebody else takes it."""
        return self.entry.lease_expires_at <= self.now

    @property
    def due(self) -> Deadline | None:
        return deadline(self.entry.due_at, self.now, self.zone) if self.entry else None

    def clock(self, at: datetime) -> str:
        return wall_clock(at, self.zone, self.now)

    # --- setting it aside -----------------------------------------------------------------------------------------

    @cached_property
    def entry_actions(self) -> list[EntryAction]:
        """What this person may do besides deciding; the services ask again."""
        return entry_actions(self.entry, self.user, now=self.now)

    @cached_property
    def consultations(self) -> list[exhibits.Consulted]:
        """Questions to colleagues and their answers, oldest first."""
        return [exhibits.consulted(row, self.clock) for row in last_words(self.case.pk, CONSULTATIONS)]

    # --- why it is here -------------------------------------------------------------------------------------------

    @property
    def route(self) -> Route:
        return Route(self.entry.route if self.entry else self.draft.route)

    @property
    def is_quick(self) -> bool:
        return self.route == Route.QUICK_REVIEW

    @property
    def reason(self) -> str:
        text = self.draft.reason
        return f"{text[:1].upper()}{text[1:]}" if text else ""

    @property
    def triggers(self) -> list[str]:
        return [Trigger(name).label if name in Trigger.values else name for name in self.draft.triggers]

    @property
    def confidence(self) -> str:
        return number(self.draft.confidence)

    @property
    def threshold(self) -> str:
        return number(self.draft.threshold)

    @cached_property
    def signals(self) -> list[exhibits.SignalBar]:
        return exhibits.signal_bars(self.draft.contributions)

    @property
    def weakest(self) -> exhibits.SignalBar | None:
        return exhibits.weakest(self.signals)

    @property
    def language(self) -> str:
        code = self.case.language
        if code == "und":
            return "language unknown"
        try:
            return f"{get_language_info(code)['name']} ({code})"
        except KeyError:
            return code

    @property
    def html_lang(self) -> str:
        return "" if self.case.language == "und" else self.case.language

    # --- what there is to weigh -----------------------------------------------------------------------------------

    @property
    def texts(self) -> dict:
        return self.case.content.text

    @cached_property
    def told(self) -> list[tuple[str, str]]:
        """What the customer was told meanwhile: the interim answer, and by when somebody writes."""
        said = (("Meanwhile", told_meanwhile(self.case)), ("Promised", last_message(self.case)))
        return [(title, text) for title, text in said if text]

    @property
    def is_erased(self) -> bool:
        return self.case.content.is_erased

    @cached_property
    def customer(self) -> exhibits.Customer | None:
        return exhibits.customer_of(self.case, self.visible)

    @property
    def messages(self) -> list[exhibits.Message]:
        return exhibits.messages_of(self.texts.get("messages") or [], self.clock)

    @property
    def answer(self) -> str:
        return self.draft.content.text.get("model_draft") or ""

    @property
    def digest(self) -> str:
        """Of the draft as it is shown; it goes with the decision, so that nobody decides what they have not seen."""
        return bytes(self.draft.content_digest).hex()

    @property
    def has_unseen(self) -> bool:
        """Whether the draft holds characters that a plain text field does not show."""
        return any(not character.isascii() and is_unseen(character) for character in self.answer)

    @property
    def release(self) -> str:
        """The AI system that wrote the draft, where it said so."""
        return str(self.draft.release) if self.draft.release.model or self.draft.release.version else ""

    @property
    def reasoning(self) -> str:
        return self.draft.content.text.get("reasoning") or ""

    @cached_property
    def evidence(self) -> list[exhibits.Evidence]:
        return exhibits.evidence_of(self.draft.content.text.get("evidence") or [])

    @property
    def best_evidence(self) -> list[exhibits.Evidence]:
        return [item for item in self.evidence if item.is_best]

    @property
    def other_evidence(self) -> list[exhibits.Evidence]:
        return [item for item in self.evidence if not item.is_best]

    @cached_property
    def policies(self) -> list[exhibits.Passage]:
        return exhibits.policies_of(self.draft.content.text.get("policies") or [])

    @cached_property
    def tools(self) -> list[exhibits.Passage]:
        return exhibits.tools_of(self.draft.content.text.get("tool_results") or [])

    @cached_property
    def actions(self) -> list[ShownAction]:
        return actions_of(self.case, self.user, self.visible, now=self.now, is_decidable=self.is_decidable)

    # --- what happened before -------------------------------------------------------------------------------------

    @cached_property
    def earlier_drafts(self) -> Sequence[Draft]:
        earlier = self.case.drafts.exclude(pk=self.draft.pk).select_related("content", "release")
        return list(earlier.order_by("-number")[:DRAFTS]) if self.draft.number > 1 else []

    @cached_property
    def _review_rows(self) -> Sequence[Review]:
        rows = reviews_visible_to(self.user, Review.objects.filter(case=self.case)).select_related(
            "reviewer", "content", "draft__content", "superseded_by", "poll"
        )
        return list(rows.order_by("-id")[:REVIEWS])

    @property
    def past_reviews(self) -> list[PastReview]:
        return [self._past(review) for review in self._review_rows]

    def _past(self, review: Review) -> PastReview:
        text, labels = review.content.text, dict(self.reason_codes)
        before, after = review.draft.content.text.get("model_draft") or "", text.get("final_answer") or ""
        is_diffed = bool(after) and len(before) + len(after) <= DIFFED
        return PastReview(
            who=str(review.reviewer),
            at=self.clock(review.created_at),
            verdict=Verdict(review.verdict).label,
            is_undo=review.kind == Review.Kind.UNDO,
            is_undone=getattr(review, "superseded_by", None) is not None,
            decision=review.final_decision,
            reason=labels.get(review.reason_code, review.reason_code),
            texts=[(label, text[name]) for name, label in _TEXTS.items() if text.get(name)],
            wrong=text.get("incorrect_evidence") or [],
            answer=after,
            changes=diff(before, after) if is_diffed else [],
        )

    @cached_property
    def timeline(self) -> list[Line]:
        events = CaseEvent.objects.filter(case=self.case).select_related("actor", "note").order_by("-id")[:EVENTS]
        claims = Claim.objects.filter(case=self.case).select_related("user").order_by("-generation")[:CLAIMS]
        if any(event.kind in CaseEvent.OF_VOTES for event in events) and hides_votes(self.user, self.case):
            events, claims = without_votes(events, claims, self.user)
        return timeline(reversed(events), reversed(claims), reversed(self._review_rows))

    @property
    def timed(self) -> list[tuple[str, Line]]:
        return [(self.clock(line.at), line) for line in self.timeline]

    # --- what became of it ----------------------------------------------------------------------------------------

    @property
    def is_decided(self) -> bool:
        return self.case.state in DECIDED

    @property
    def verdict(self) -> str:
        return Verdict(self.case.verdict).label if self.case.verdict else ""

    @property
    def final_answer(self) -> str:
        return outcome.final_answer(self.case) or ""

    @property
    def decided_at(self) -> str:
        return self.clock(self.case.decided_at) if self.case.decided_at else ""

    @property
    def may_undo(self) -> bool:
        """Whether to offer the undo; the service itself asks again."""
        last = next((row for row in self._review_rows if row.kind in UNDOABLE), None)
        if last is None or last.reviewer_id != self.user.pk or getattr(last, "superseded_by", None):
            return False
        return undo_left(last, self.case, self.now) is not None

    # --- what can be decided --------------------------------------------------------------------------------------

    @cached_property
    def shown(self) -> Shown:
        """What may be decided, as the service will check it. Only where there is an entry."""
        return shown_to(self.case, self.entry)

    @cached_property
    def reason_codes(self) -> tuple[tuple[str, str], ...]:
        rules = rules_of(self.draft.policy_version)
        return rules.reason_codes if rules else ()

    @property
    def reason_help(self) -> str:
        if self.is_quick:
            return "needed to reject or to ask for a new draft"
        return "a code or a note; needed unless you accept"

    @property
    def choices(self) -> list[Choice]:
        """The four verdicts, each with its key; the same ``Shown`` that gates the submission rules some out."""
        no_draft = "" if self.shown.has_draft else "there is no draft"
        no_redraft = "" if self.shown.can_redraft else "no further draft can be asked for"
        edit = "Edit" if self.shown.has_draft else "Send your answer"
        return [
            Choice(Verdict.ACCEPT, "Confirm" if self.is_audit else "Accept", "a", no_draft),
            Choice(Verdict.EDIT, edit, "e"),
            Choice(Verdict.REJECT, "Reject", "r"),
            Choice(Verdict.NEEDS_EDIT, "Ask for a new draft", "n", no_redraft),
        ]

    @cached_property
    def kept(self) -> ReviewDraft | None:
        """What this person had written when the case slipped away from them."""
        return ReviewDraft.objects.select_related("content").filter(case=self.case, reviewer=self.user).first()

    @property
    def kept_at(self) -> str:
        return self.clock(self.kept.saved_at) if self.kept else ""


def page_of(case: Case, user: User) -> Page:
    """The page of a visible case, as of the database's clock."""
    return Page(case, user, db_now())
