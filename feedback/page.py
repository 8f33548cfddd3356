"""What the review page shows of one case to one person, in a number of queries that does not grow with the rows."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import get_language_info

from cases import outcome
from cases.models import Draft, User
from cases.permissions import fields_visible_to
from cases.reasons import number
from cases.rights import HeldRights
from cases.services.meanwhile import message_of, told_meanwhile
from cases.services.policies import rules_of
from cases.states import DECIDED, State
from cases.untrusted import is_unseen
from cases.veil import veiled_among
from cases.vocabulary import Route, Trigger, Verdict
from queues.models import Entry
from queues.services.available import EntryAction, entry_actions
from queues.services.clocks import open_time_left
from queues.services.fitness import fitness_of

from . import exhibits
from .actions import ShownAction, actions_of
from .alike import Neighbours, neighbours_of
from .checklist import Finding
from .models import FirstOpinion, ReviewDraft
from .opening import Opened, opened, opened_to_check
from .past import Past
from .services import firsts
from .services.dwells import is_recorded
from .services.reviews import is_undecided, shown_to, undo_left
from .sides import Sides, sides_of
from .snippets import snippets_for
from .submission import Shown
from .support import Sentence, supported
from .wording import Deadline, deadline, span, wall_clock


@dataclass(frozen=True)
class Choice:
    """One verdict as a button. ``why_not`` says why it is no choice here."""

    value: str
    label: str
    key: str
    why_not: str = ""


class Page:
    """One case before one person. Made by ``page_of``; its parts are worked out when drawn."""

    def __init__(self, found: Opened, user: User, rights: HeldRights) -> None:
        self.case, self.entry, self.now, self._promised = found.case, found.entry, found.now, found.promised
        self.has_actions, self.has_results = found.has_actions, found.has_results
        self._has_reviews = found.has_reviews
        self.user = user
        self.draft: Draft = self.case.current_draft
        self.zone = ZoneInfo(self.case.tenant.time_zone)
        self.visible = fields_visible_to(user, self.case, rights)

    # --- who has it, until when ---------------------------------------------------------------------------------

    @property
    def is_mine(self) -> bool:
        return self.entry is not None and self.entry.claimed_by_id == self.user.pk

    @property
    def is_audit(self) -> bool:
        """A sample of the automatic approvals, looked at afterwards."""
        return self.entry is not None and self.entry.kind == Entry.Kind.AUDIT

    @property
    def is_second(self) -> bool:
        """Decided already, and looked at again."""
        return self.entry is not None and self.entry.kind == Entry.Kind.SECOND

    @cached_property
    def hides_outcome(self) -> bool:
        """This person may be the one who looks at the decision again, blind to it."""
        return self.is_second and bool(veiled_among([self.case], self.user))

    @property
    def is_decidable(self) -> bool:
        return self.is_mine and not self.hides_draft and is_undecided(self.case, self.entry)

    @property
    def records_dwell(self) -> bool:
        """The person holds the case, and its tenant records how pages are read."""
        return self.is_mine and is_recorded(self.case.tenant)

    # --- who speaks first -----------------------------------------------------------------------------------------

    @cached_property
    def _blindness(self) -> firsts.Blindness:
        return firsts.blindness(self.case, self.entry, self.user)

    @property
    def hides_draft(self) -> bool:
        """Nothing that the AI said of this case is shown to this person now."""
        return self._blindness.hides

    @property
    def asks_first(self) -> bool:
        """The person holds the case, and says what they would decide before they see the draft."""
        return self._blindness.asks

    @property
    def first_options(self) -> tuple[str, ...]:
        return firsts.options_of(self.case)

    @cached_property
    def first_opinion(self) -> FirstOpinion | None:
        """What they said then."""
        return firsts.opinion_of(self.case, self.user) if self._blindness.has_spoken else None

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

    @property
    def customer_waits(self) -> str:
        """For how long the customer has waited, which no pause of the clock stops; nobody waits for a second look."""
        return span(self.now - self.entry.entered_at) if self.entry and self.entry.kind == Entry.Kind.REVIEW else ""

    @cached_property
    def open_time_left(self) -> str:
        """How much of the time to the deadline counts, where the queue's clock runs in business hours alone."""
        left = open_time_left(self.entry, self.now) if self.entry else None
        return span(left) if left is not None else ""

    def clock(self, at: datetime) -> str:
        return wall_clock(at, self.zone, self.now)

    # --- setting it aside -----------------------------------------------------------------------------------------

    @cached_property
    def entry_actions(self) -> list[EntryAction]:
        """What this person may do besides deciding; the services ask again."""
        return entry_actions(self.entry, self.user, now=self.now)

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
        promised = message_of(self.case, self._promised[0], now=self._promised[1]) if self._promised else ""
        said = (("Meanwhile", told_meanwhile(self.case)), ("Promised", promised))
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

    @cached_property
    def sentences(self) -> list[Sentence]:
        """The answer in sentences, each with the evidence that shares its words."""
        return supported(self.answer, [item.quote for item in self.evidence])

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

    @property
    def findings(self) -> list[tuple[str, str]]:
        return Finding.choices

    @cached_property
    def policies(self) -> list[exhibits.Passage]:
        return exhibits.policies_of(self.draft.content.text.get("policies") or [])

    @cached_property
    def tools(self) -> list[exhibits.Passage]:
        return exhibits.tools_of(self.draft.content.text.get("tool_results") or [])

    @cached_property
    def actions(self) -> list[ShownAction]:
        if not self.has_actions:
            return []
        return actions_of(self.case, self.user, self.visible, now=self.now, is_decidable=self.is_decidable)

    @cached_property
    def sides(self) -> Sides | None:
        """The votes, for whoever settles their disagreement."""
        return sides_of(self.case, self.entry, self.user, self.clock, dict(self.reason_codes))

    # --- beside it --------------------------------------------------------------------------------------------------

    @cached_property
    def past(self) -> Past:
        reasons = dict(self.reason_codes)
        return Past(
            self.case,
            self.user,
            self.clock,
            reasons,
            hides_outcome=self.hides_outcome,
            has_reviews=self._has_reviews,
        )

    @cached_property
    def beside(self) -> Neighbours:
        """The same customer's other cases, and decided ones about the same things."""
        return neighbours_of(self.case, self.clock, reader=self.user)

    # --- what became of it ----------------------------------------------------------------------------------------

    @property
    def is_decided(self) -> bool:
        return self.case.state in DECIDED and not self.hides_outcome

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
        last = self.past.last_decision
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
        return "a code or a note; needed whatever you decide"

    @cached_property
    def snippets(self) -> list[tuple[str, str]]:
        return snippets_for(self.case)

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


def page_of(user: User, case_id: UUID, rights: HeldRights) -> Page | None:
    """The page of a case as of the database's clock; None for a case that ``user`` may not see."""
    found = opened(user, case_id)
    return Page(found, user, rights) if found else None


def page_to_check(user: User, case_id: UUID, rights: HeldRights) -> Page | None:
    """``page_of`` for a form that was sent from it: with no more than the form is checked against, and not drawn."""
    found = opened_to_check(user, case_id)
    return Page(found, user, rights) if found else None
