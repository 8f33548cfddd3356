"""The proposed actions of a case, as its review page shows them: fields, the dry run, and who may sign them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from approvals.binding import to_wire
from approvals.models import ActionRevision, ProposedAction
from approvals.services import authorities
from approvals.services.available import Deed, Offered, offered_to
from approvals.services.signing import STEP_UP_FROM
from approvals.states import ActionState
from approvals.wording import Row, money_words, parameter_rows, preview_rows
from cases.models import Case, User
from cases.presentation import masked
from cases.rights import HeldRights, read_rights
from cases.vocabulary import Risk

SHOWN = 20
SIGNED_HERE = 3  # actions that one form offers to sign along; further ones have their own page
SIGNERS = 6


@dataclass(frozen=True)
class ShownAction:
    """One action. ``offered`` is None where this page offers nothing: not the holder's, or not waiting for people."""

    action: ProposedAction
    rows: Sequence[Row]
    must_hold: Sequence[Row]
    for_information: Sequence[Row]
    basis: str
    offered: Offered | None = None
    signers: Sequence[User] = ()

    @property
    def title(self) -> str:
        return self.action.action_type.title if self.action.action_type else ""

    @property
    def money(self) -> str:
        return money_words(self.action.amount, self.action.currency)

    @property
    def is_risky(self) -> bool:
        return Risk(self.action.impact).rank >= STEP_UP_FROM.rank

    @property
    def is_waiting(self) -> bool:
        return self.action.state == ActionState.PENDING_APPROVAL

    @property
    def approvals(self) -> str:
        count = self.action.required_approvals
        return f"needs {count} approval{'' if count == 1 else 's'}"

    @property
    def hash(self) -> str:
        """What the form posts back, so that nobody signs what they have not seen."""
        return to_wire(self.action.payload_hash) or ""

    @property
    def may_approve(self) -> bool:
        return self.offered is not None and Deed.APPROVE in self.offered

    @property
    def may_decide(self) -> bool:
        return self.offered is not None and Deed.REJECT in self.offered

    @property
    def why_not(self) -> str:
        refusal = self.offered.refusals.get(Deed.APPROVE) if self.offered else None
        return refusal.message if refusal else ""


def actions_of(
    case: Case, user: User, visible: frozenset[str], *, now: datetime, is_decidable: bool
) -> list[ShownAction]:
    """The case's actions in their present wording, in one query; with what ``user`` may do with the first of those that
    wait, where they are deciding the case."""
    revisions = ActionRevision.objects.filter(action__case=case, number=F("action__revision")).select_related(
        "content",
        "action__content",
        "action__action_type",
        "action__current_preview__content",
        "action__tenant",
        "action__proposer",
    )
    found, rights, left = [], None, SIGNED_HERE
    for revision in revisions.order_by("action_id")[:SHOWN]:
        is_offered = is_decidable and left > 0 and revision.action.state == ActionState.PENDING_APPROVAL
        if is_offered:
            rights = rights or read_rights(user)
            left -= 1
        found.append(_shown(revision, user, visible, now=now, rights=rights if is_offered else None))
    return found


def _shown(
    revision: ActionRevision, user: User, visible: frozenset[str], *, now: datetime, rights: HeldRights | None
) -> ShownAction:
    action, text = revision.action, revision.content.text
    rows = parameter_rows(text.get("params") or {}, action.action_type.schema if action.action_type else None)
    if customer := text.get("customer_id"):
        rows.insert(0, Row("Customer", customer if "customer" in visible else masked(customer)))
    preview = action.current_preview
    said = preview.content.text if preview and preview.revision_id == revision.pk else {}
    offered = offered_to(action, user, now=now, rights=rights) if rights else None
    return ShownAction(
        action=action,
        rows=rows,
        must_hold=preview_rows(said.get("binding") or {}),
        for_information=preview_rows(said.get("info") or {}),
        basis=str(action.content.text.get("policy_basis") or ""),
        offered=offered,
        signers=_signers(action, user) if offered else (),
    )


def _signers(action: ProposedAction, user: User) -> list[User]:
    """Others who could sign it."""
    able = authorities.holders(authorities.reaching(action), limit=SIGNERS + 2)
    return [person for person in able if person.pk not in (user.pk, action.proposer_id)][:SIGNERS]
