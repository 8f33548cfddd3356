"""What the approve page shows of one action to one person, in a number of queries that does not grow with the rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from cases.clock import db_now
from cases.models import User
from cases.outcome import final_answer
from cases.presentation import masked
from cases.rights import HeldRights
from cases.veil import veiled
from cases.vocabulary import Risk

from . import wording
from .binding import differences, to_wire
from .models import ActionPreview, ActionRevision, ActionVote, ExecutionResult, ProposedAction
from .services import authorities, reading, signing
from .services.available import Offered, offered_to
from .states import ActionState
from .wording import Difference, Row

HISTORY = 5
PREVIEWS = 10
VOTES = 50
RESULTS = 20
HOLDERS = 12


class ActionPage:
    """One action before one person at ``now``. Made by ``page_of``; its parts are worked out when drawn."""

    def __init__(self, action: ProposedAction, user: User, rights: HeldRights, now: datetime) -> None:
        self.action, self.user, self.rights, self.now = action, user, rights, now
        self.revision: ActionRevision = reading.revision_of(action)

    # --- what is to be done ---------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.action.action_type.title if self.action.action_type else self.action.name

    @property
    def money(self) -> str:
        return wording.money_words(self.action.amount, self.action.currency)

    @property
    def is_risky(self) -> bool:
        return Risk(self.action.impact).rank >= signing.STEP_UP_FROM.rank

    @property
    def hash(self) -> str:
        """What the forms post back: ``sha256:…`` of the bytes that stand there, or empty before the first preview."""
        return to_wire(self.action.payload_hash) or ""

    @property
    def params(self) -> Mapping[str, Any]:
        return self.revision.content.text.get("params") or {}

    @property
    def rows(self) -> list[Row]:
        kind = self.action.action_type
        return wording.parameter_rows(self.params, kind.schema if kind else None)

    @property
    def customer(self) -> str:
        named = self.revision.content.text.get("customer_id") or ""
        return named if not named or self.rights.allowed("view_customer", self.action.tenant) else masked(named)

    @property
    def basis(self) -> str:
        """What the model says that allows it: a claim, which nothing here counts on."""
        return str(self.action.content.text.get("policy_basis") or "")

    @property
    def is_erased(self) -> bool:
        return self.revision.content.is_erased

    # --- what its dry run said ------------------------------------------------------------------------------------

    @property
    def is_previewing(self) -> bool:
        return self.action.state == ActionState.PROPOSED

    @property
    def preview(self) -> ActionPreview | None:
        """The dry run of what stands there now; an edited or drifted action waits for another."""
        found = self.action.current_preview
        return found if found and not self.is_previewing and found.revision_id == self.revision.pk else None

    @property
    def must_hold(self) -> list[Row]:
        return wording.preview_rows(self.preview.content.text.get("binding") or {}) if self.preview else []

    @property
    def for_information(self) -> list[Row]:
        return wording.preview_rows(self.preview.content.text.get("info") or {}) if self.preview else []

    # --- who may sign ---------------------------------------------------------------------------------------------

    @cached_property
    def offered(self) -> Offered:
        return offered_to(self.action, self.user, now=self.now, rights=self.rights)

    @property
    def is_waiting(self) -> bool:
        return self.action.state == ActionState.PENDING_APPROVAL

    @property
    def why_not(self) -> str:
        """Why this person cannot sign what waits for people."""
        refusal = self.offered.refusals.get("approve") if self.is_waiting else None
        return refusal.message if refusal else ""

    @property
    def will_be_enough(self) -> bool:
        """Whether this person's signature would be the last that is needed."""
        is_last = self.offered.missing <= 1
        return is_last and (self.user.pk != self.action.editor_id or bool(self.offered.votes))

    @cached_property
    def votes(self) -> Sequence[ActionVote]:
        """All signatures, the newest first; ``counts`` are those of what stands there now."""
        rows = self.action.votes.select_related("voter", "on_behalf_of", "authority", "reason").order_by("-id")[:VOTES]
        counted = {vote.pk for vote in self.offered.votes}
        found = list(rows)
        for vote in found:
            vote.counts = vote.pk in counted
            vote.words = vote.reason.text.get("reason", "") if vote.reason else ""
        return found

    @cached_property
    def authorities(self) -> Sequence:
        return list(authorities.reaching(self.action)[:HOLDERS]) if self.action.action_type_id else []

    @cached_property
    def signers(self) -> list[User]:
        """Others who hold an authority that reaches so far and have not signed; at most ``HOLDERS``."""
        gone = {self.user.pk, self.action.proposer_id, *(vote.voter_id for vote in self.offered.votes)}
        found = authorities.holders(self.authorities, limit=HOLDERS + len(gone))
        return [person for person in found if person.pk not in gone][:HOLDERS]

    @property
    def step_up_minutes(self) -> int:
        return settings.STEP_UP_MINUTES

    @property
    def undo_seconds(self) -> int:
        return self.action.tenant.undo_seconds

    # --- what stands beside it ------------------------------------------------------------------------------------

    @cached_property
    def case_texts(self) -> dict[str, str]:
        """The case in short; empty without one."""
        case = self.action.case
        if case is None:
            return {}
        return {
            "question": case.content.text.get("user_question") or "",
            "decision": case.final_decision or case.current_draft.model_decision,
            "answer": final_answer(case) or "",
        }

    @cached_property
    def of_customer(self) -> list[ProposedAction]:
        """The newest other actions for the same customer, whatever their type."""
        key = self.action.content.customer_key
        if not key:
            return []
        return self._newest(
            ProposedAction.objects.filter(content__tenant=self.action.tenant_id, content__customer_key=key)
        )

    @cached_property
    def of_type(self) -> list[ProposedAction]:
        """The newest other actions of the same type."""
        if self.action.action_type_id is None:
            return []
        return self._newest(ProposedAction.objects.filter(action_type=self.action.action_type_id))

    def _newest(self, actions: QuerySet[ProposedAction]) -> list[ProposedAction]:
        others = actions.filter(tenant=self.action.tenant_id).exclude(pk=self.action.pk)
        others = others.exclude(veiled(self.user, "case")).select_related("action_type")
        return list(others.order_by("-id")[:HISTORY])

    # --- what it was before, and what came of it ---------------------------------------------------------------------

    @cached_property
    def changes(self) -> list[dict[str, Any]]:
        """Each step from one preview to the next, the newest first: who wrote it, and what became different."""
        previews = list(
            self.action.previews.select_related("content", "revision__author").order_by("-id")[: PREVIEWS + 1]
        )
        steps = []
        for after, before in pairwise(previews):
            is_edit = after.revision_id != before.revision_id
            steps.append(
                {"at": after.at, "by": after.revision.author if is_edit else None, "rows": _between(before, after)}
            )
        return steps

    def since(self, seen: bytes | None) -> list[Difference]:
        """What is different now from the payload under ``seen``, the hash that a form was drawn with."""
        before = self.action.previews.select_related("content").filter(payload_hash=seen).first() if seen else None
        after = self.action.current_preview
        return _between(before, after) if before and after else []

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """What calls, look-ups and people said of the execution, the newest first."""
        rows = ExecutionResult.objects.filter(execution=self.action.pk).select_related("content", "actor")
        return [
            {
                "row": row,
                "cause": row.content.text.get("cause", ""),
                "detail": wording.preview_rows(row.content.text.get("detail") or {}),
            }
            for row in rows.order_by("-id")[:RESULTS]
        ]

    @property
    def taken_back_until(self) -> datetime | None:
        """Until when an approval can be taken back for certain."""
        if self.action.state != ActionState.APPROVED or self.action.approved_at is None:
            return None
        until = self.action.approved_at + timedelta(seconds=self.undo_seconds)
        return until if until > self.now else None


def _between(before: ActionPreview, after: ActionPreview) -> list[Difference]:
    old, new = (preview.content.text.get("payload") for preview in (before, after))
    if not (isinstance(old, str) and isinstance(new, str)):
        return []
    return wording.difference_rows(differences(old.encode(), new.encode()))


def page_of(action: ProposedAction, user: User, rights: HeldRights) -> ActionPage:
    """The page of an action that ``user`` may see, as of the database's clock."""
    return ActionPage(action, user, rights, db_now())
