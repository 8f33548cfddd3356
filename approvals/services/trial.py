"""What a change of the impact rules would mean: the type's last actions, judged by both, before anything is saved.

Each is judged by what was known when it was proposed: its amount, its case, and what had been done for its customer in
the thirty days before. Two queries, whatever the rules are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, FloatField, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Coalesce

from cases.vocabulary import Risk

from ..facts import CUSTOMER_WINDOW, DONE, Asked, KnownType, impact_of, rules_of
from ..impact import Impact, Rule
from ..models import ActionType, ProposedAction
from .reading import case_context, context_of

JUDGED = 500
NAMED = 20


@dataclass(frozen=True)
class Change:
    """One past action that the new rules judge otherwise."""

    action: ProposedAction
    before: Impact
    after: Impact

    @property
    def words(self) -> list[tuple[str, str, str]]:
        """``(what, before, after)`` of each demand that differs."""
        pairs = (
            ("impact", *(Risk(one.impact).label.lower() for one in (self.before, self.after))),
            ("signatures", str(self.before.approvals), str(self.after.approvals)),
            ("runs alone", *("yes" if one.may_run_alone else "no" for one in (self.before, self.after))),
            ("only by", *(one.authority_code or "any" for one in (self.before, self.after))),
        )
        return [pair for pair in pairs if pair[1] != pair[2]]


@dataclass(frozen=True)
class Trial:
    """How ``judged`` past actions come out: how many ``changed``, the newest of these, each move of the impact, and how
    many fewer people than before would have to sign (``looser``)."""

    judged: int
    changed: int
    looser: int
    named: Sequence[Change]
    moves: Sequence[tuple[str, str, int]]


def try_rules(action_type: ActionType, rules: Sequence[Rule]) -> Trial:
    """Judge the type's last ``JUDGED`` actions by the rules that are stored and by ``rules``."""
    stored = rules_of([action_type])[action_type.pk]
    changes, judged = [], 0
    for action in _past(action_type):
        judged += 1
        asked, history = _asked(action), _history(action)
        before, after = (
            impact_of(asked, {action.name: KnownType(action_type, tuple(one))}, history) for one in (stored, rules)
        )
        change = Change(action, before, after)
        if change.words:
            changes.append(change)
    moves = Counter((str(one.before.impact), str(one.after.impact)) for one in changes)
    return Trial(
        judged=judged,
        changed=len(changes),
        looser=sum(1 for one in changes if _signatures(one.after) < _signatures(one.before)),
        named=changes[:NAMED],
        moves=[(Risk(a).label, Risk(b).label, count) for (a, b), count in moves.most_common() if a != b],
    )


def _signatures(impact: Impact) -> int:
    return 0 if impact.may_run_alone else impact.approvals


def _past(action_type: ActionType) -> QuerySet[ProposedAction]:
    """The newest actions with what the rules may know of each."""
    done = (
        ProposedAction.objects.filter(
            tenant=OuterRef("tenant"),
            content__tenant=OuterRef("tenant"),
            content__customer_key=OuterRef("content__customer_key"),
            name=OuterRef("name"),
            currency=OuterRef("currency"),
            state__in=DONE,
            proposed_at__lt=OuterRef("proposed_at"),
            proposed_at__gte=OuterRef("proposed_at") - CUSTOMER_WINDOW,
        )
        .order_by()
        .values("name")
    )
    counted = done.annotate(n=Count("pk")).values("n")
    summed = done.annotate(total=Sum("amount", output_field=FloatField())).values("total")
    return (
        ProposedAction.objects.filter(action_type=action_type, tenant=action_type.tenant_id)
        .select_related("case")
        .annotate(
            key=F("content__customer_key"),
            wants_approval=KeyTransform("requires_approval", "content__body"),
            of_case=KeyTransform("customer", "case__content__body"),
            done_count=Coalesce(Subquery(counted, output_field=IntegerField()), 0),
            done_amount=Coalesce(Subquery(summed, output_field=FloatField()), 0.0),
        )
        .order_by("-id")[:JUDGED]
    )


def _asked(action: ProposedAction) -> Asked:
    case = action.case
    context = context_of(case, {"customer": action.of_case}) if case else case_context(None, action.key is not None)
    key = bytes(action.key) if action.key is not None else None
    return Asked(action.name, action.amount, action.currency, key, bool(action.wants_approval), context)


def _history(action: ProposedAction) -> Mapping[tuple[str, str, bytes], tuple[int, float]]:
    if action.key is None:
        return {}
    return {(action.name, action.currency, bytes(action.key)): (action.done_count, action.done_amount)}
