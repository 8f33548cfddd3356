"""Verification challenges in the demo: gold cases of Skylark with a low rate, and two that somebody has met."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cases.clock import pretend_now
from cases.models import Tenant, User
from feedback.checklist import Finding
from feedback.models import BlindFirstPolicy, Challenge, ChallengePolicy, FrictionCap
from feedback.services import challenge_results, challenges, planting, reviews
from feedback.submission import Submission
from queues.services import claims
from queues.services.fitness import fitness_of

REASON = "Agreed with the supervisors and the works council"
DOMAIN = "airline"
TRIES = 50

GOLD = (
    {
        "title": "Basic fare changed for free",
        "slots": {"name1": "name", "id1": "id ^^^###", "date1": "date 9 %d %B %Y"},
        "body": {
            "user_question": "Hello, this is [[name1]]. I want to fly a day later than [[date1]], booking [[id1]]. "
            "It is a basic fare. What does the change cost?",
            "model_draft": "Dear [[name1.first]], the change of booking [[id1]] is free. You fly one day later.",
            "language": "en",
            "evidence": [
                {"document_id": "fares-v5", "quote": "Basic fares cannot be changed after 24 hours.", "score": 0.81}
            ],
        },
        "right_verdicts": ["edit", "reject"],
        "must_contain": ["cannot be changed"],
        "must_not_contain": ["is free"],
        "right_answer": "Dear [[name1.first]], a basic fare such as booking [[id1]] cannot be changed after 24 hours.",
        "explanation": "The evidence says that basic fares cannot be changed after 24 hours. The draft says the "
        "opposite of what it cites.",
    },
    {
        "title": "Wrong passenger's seat",
        "slots": {"name1": "name", "name2": "name", "id1": "id ^^^###"},
        "body": {
            "user_question": "Please move [[name1]] to an aisle seat, booking [[id1]].",
            "model_draft": "Done: [[name2]] now has seat 14C on booking [[id1]].",
            "language": "en",
            "tool_results": [
                {"tool": "get_booking", "status": "ok", "output": "[[id1]]: passengers [[name1]], [[name2]]"}
            ],
            "evidence": [
                {"document_id": "seats-v2", "quote": "A seat is changed for the passenger who is named.", "score": 0.77}
            ],
        },
        "right_verdicts": ["edit", "reject"],
        "explanation": "Asked was a seat for one passenger, and the draft moves the other one of the same booking.",
    },
)


def keep_challenges(tenant: Tenant, users: Mapping[str, User], keeper: User, *, now: datetime) -> None:
    """The gold cases and rules of ``tenant``; one challenge was found yesterday, and one got past somebody today."""
    for fields in GOLD:
        challenges.save(Challenge(tenant=tenant, domain=DOMAIN, **fields), actor=keeper, reason=REASON)
    challenges.save_rule(ChallengePolicy(tenant=tenant, base_rate=0.01), actor=keeper, reason=REASON)
    # Off: on a share of the cases the demo's guided walk would meet a hidden draft. One click switches it on.
    challenges.save_rule(BlindFirstPolicy(tenant=tenant, is_on=False), actor=keeper, reason=REASON)
    challenges.save_rule(FrictionCap(tenant=tenant, percent=10), actor=keeper, reason=REASON)
    _met(tenant, users["jonas"], "reject", at=now - timedelta(hours=20))
    _met(tenant, users["kimiko"], "accept", at=now - timedelta(hours=3))


def _met(tenant: Tenant, person: User, verdict: str, *, at: datetime) -> None:
    planted, tries = None, 0
    while planted is None and tries < TRIES:  # A lot in which these gold cases would stand out plants nothing.
        tries += 1
        with pretend_now(at):
            planted = planting.plant(person, tenant, DOMAIN, fitness_of(person, tenant))
    if planted is None:
        return
    with pretend_now(at + timedelta(minutes=4)):
        entry = claims.claim(planted.case, person)
    cited = planted.case.current_draft.content.text.get("evidence", [])
    checked = tuple((item["document_id"], Finding.SUPPORTS) for item in cited)
    said = Submission(verdict, notes="Compared with the evidence.", checked_evidence=checked)
    with pretend_now(at + timedelta(minutes=7)):
        reviews.submit(planted.pk, said, actor=person, generation=entry.generation)
    with pretend_now(at + timedelta(minutes=9)):
        challenge_results.judge(planted.pk)
