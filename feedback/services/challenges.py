"""Keeping gold cases: made by hand or of a decided case, always checked, never stored unseen."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError as WireInvalid

from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import Case, User
from cases.outcome import final_answer, is_final
from cases.permissions import fields_visible_to, require
from cases.services.intake import CASE_TEXTS, DRAFT_TEXTS
from cases.states import State
from cases.vocabulary import Verdict
from cases.wire.intake import parse_intake

from ..disguise import ENVELOPE, disguise
from ..gold import RIGHT_VERDICTS
from ..models import BlindFirstPolicy, Challenge, ChallengePolicy, FrictionCap
from ..slots import SlotInvalid, check_slots, fill
from .planting import PREVIEW, expected_of


class ChallengeInvalid(CountersignError):
    code = "challenge_invalid"
    title = "This challenge cannot be used"
    status = 400


@dataclass(frozen=True)
class Variant:
    """One filling of a gold case: the intake as a caller would send it, what is right in it, and what the dry run says
    of its action."""

    body: Mapping[str, Any]
    expected: Mapping[str, Any]
    preview: Mapping[str, Any]


def proposal_of(case: Case, *, actor: User) -> Challenge:
    """A challenge made of a decided case, not stored: disguised, with what people found as what is right.

    Where they accepted, the AI was right: then the draft is for the person to spoil. Raises ``Denied`` (it shows the
    whole of a customer's case, so that it takes that right too) or ``ChallengeInvalid``.
    """
    require(actor, "manage_challenges", case.tenant)
    if "customer" not in fields_visible_to(actor, case):
        require(actor, "view_customer", case.tenant)
    if case.purpose != Case.Purpose.REAL or case.state not in (State.APPROVED, State.REJECTED):
        raise ChallengeInvalid("Only a decided case can be made into a challenge.")
    if not is_final(case, db_now()) or case.content.is_erased:
        raise ChallengeInvalid("This case is not final yet, or its texts were erased.")
    draft = case.current_draft
    body = {name: case.content.text[name] for name in CASE_TEXTS if name in case.content.text}
    body |= {name: draft.content.text[name] for name in DRAFT_TEXTS if name in draft.content.text}
    body |= _action_of(case, actor)
    body |= {"kind": case.kind, "language": case.language, "risk_level": case.risk}
    body |= {"model_decision": draft.model_decision, "triggers": []}
    right = final_answer(case) or "" if case.verdict == Verdict.EDIT else ""
    template, slots = disguise(body | {"metadata": {"right": right}}, opened=case.opened_at)
    right = (template.pop("metadata", None) or {}).get("right", "")
    if case.language == "und":
        template.pop("language", None)
    return Challenge(
        tenant=case.tenant,
        title=f"{case.domain}: {case}"[:80],
        domain=case.domain,
        body=template,
        slots=slots,
        right_verdicts=[case.verdict] if case.verdict in RIGHT_VERDICTS else [Verdict.EDIT, Verdict.REJECT],
        right_decision=case.final_decision if case.verdict == Verdict.EDIT else "",
        right_answer=right,
        source=case,
    )


def _action_of(case: Case, actor: User) -> dict[str, Any]:
    """What the AI wanted done in the case, and what the dry run said of it."""
    action = case.actions.select_related("content", "current_preview__content").order_by("id").first()
    if action is None:
        return {}
    require(actor, "view_action", case.tenant)
    asked = action.revisions.select_related("content").order_by("number").first().content.text
    said = action.current_preview.content.text if action.current_preview else {}
    claimed = {name: action.content.text.get(name) for name in ("policy_basis", "requires_approval")}
    wanted = {"action": action.name, **asked, **claimed}
    return {
        "proposed_action": {name: value for name, value in wanted.items() if value not in (None, "")},
        PREVIEW: {name: said[name] for name in ("binding", "info") if said.get(name)},
    }


@transaction.atomic
def save(challenge: Challenge, *, actor: User, reason: str) -> Challenge:
    """Keep a gold case. Raises ``Denied``, ``ChallengeInvalid`` and Django's ``ValidationError``."""
    require(actor, "manage_challenges", challenge.tenant)
    check(challenge)
    challenge.full_clean()
    challenge.save_as(actor, reason)
    return challenge


@transaction.atomic
def save_rule(rule: ChallengePolicy | BlindFirstPolicy | FrictionCap, *, actor: User, reason: str) -> None:
    """Keep a policy or the cap. Raises ``Denied`` and Django's ``ValidationError``."""
    require(actor, "manage_challenges", rule.tenant)
    rule.full_clean()
    rule.save_as(actor, reason)


def check(challenge: Challenge) -> None:
    """Raise ``ChallengeInvalid`` for what could not come in, or could not be judged."""
    if refused := set(challenge.right_verdicts) - set(RIGHT_VERDICTS):
        raise ChallengeInvalid(f"“{sorted(refused)[0]}” cannot be right: in a challenge the AI is wrong.")
    if challenge.source_id and challenge.source.tenant_id != challenge.tenant_id:
        raise ChallengeInvalid("The case that it was made of is another tenant's.")
    if not challenge.right_verdicts:
        raise ChallengeInvalid("Say which verdicts are right.")
    if challenge.least_similarity and not challenge.right_answer.strip():
        raise ChallengeInvalid("To compare answers there must be a right one.")
    if enveloped := set(challenge.body) & set(ENVELOPE):
        raise ChallengeInvalid(
            f"“{sorted(enveloped)[0]}” is given to each case anew, or would do something: leave it out."
        )
    expected = expected_of(challenge).as_document()
    try:
        check_slots([challenge.body, expected], challenge.slots)
        parse_intake(variant_of(challenge).body)
    except SlotInvalid as error:
        raise ChallengeInvalid(str(error)) from error
    except WireInvalid as error:
        field, words = _first(error.detail)
        raise ChallengeInvalid(f"A case like this would be refused at intake: {field}: {words}") from error
    if not (challenge.body.get("model_draft") or challenge.body.get("model_decision")):
        raise ChallengeInvalid("Without a draft or a decision of the AI there is nothing to be wrong.")


def _first(detail: Any, path: str = "") -> tuple[str, str]:
    if isinstance(detail, Mapping):
        name, inner = next(iter(detail.items()))
        return _first(inner, f"{path}.{name}".strip("."))
    if isinstance(detail, list) and detail:
        return _first(next((one for one in detail if one), detail[0]), path)
    return path, str(detail)


def variant_of(challenge: Challenge, seed: int | None = None) -> Variant:
    """One filling; another one each time where no ``seed`` is given."""
    seed = secrets.randbits(62) if seed is None else seed
    filled = fill(
        {"body": challenge.body, "expected": expected_of(challenge).as_document()},
        challenge.slots,
        seed=seed,
        now=db_now(),
    )
    preview = filled["body"].pop(PREVIEW, None) or {}
    return Variant(filled["body"] | {"domain": challenge.domain}, filled["expected"], preview)
