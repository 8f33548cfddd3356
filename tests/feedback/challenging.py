"""Challenges in tests: gold cases, and a world with enough real cases to hide one among."""

from datetime import timedelta
from typing import Any

from cases.clock import db_now, pretend_now
from cases.models import Case, User
from cases.models.people import system_actor
from feedback.models import Challenge, ChallengePolicy, ChallengeResult, PlantedChallenge, Review
from feedback.services import challenge_results, planting, reviews
from feedback.submission import Submission
from queues.services import claims
from queues.services.fitness import fitness_of
from tests.worlds import World

TRIES = 50
WRONG = "Yes, [[name1.first]]. Your order [[id1]] can still be returned within 60 days."
RIGHT = "I am sorry, [[name1.first]]. Order [[id1]] could be returned within 30 days, which are over."


def gold(world: World, title: str = "Sixty days", **fields: Any) -> Challenge:
    """A gold case of the world's domain whose AI names a wrong period."""
    body = {
        "user_question": "Hello, my name is [[name1]]. May I return order [[id1]] of [[date1]]?",
        "model_draft": WRONG,
        "language": "en",
        "evidence": [{"document_id": "returns", "quote": "Shoes may be returned within 30 days.", "score": 0.83}],
    }
    values = {
        "domain": "billing",
        "body": body,
        "slots": {"name1": "name", "id1": "id ord_#####", "date1": "date -40 %d %B %Y"},
        "right_verdicts": ["edit", "reject"],
        "must_contain": ["30 days"],
        "must_not_contain": ["60 days"],
        "right_answer": RIGHT,
        "explanation": "The policy says 30 days, and the AI says 60.",
    } | fields
    challenge = Challenge(tenant=world.tenant, title=title, **values)
    challenge.save_as(system_actor(), "created")
    return challenge


def policy(world: World, **fields: Any) -> ChallengePolicy:
    rule = ChallengePolicy(tenant=world.tenant, **({"least_minutes": 0, "base_rate": 0.5} | fields))
    rule.save_as(system_actor(), "created")
    return rule


def real_cases(world: World, count: int = planting.FEW_DONORS, **fields: Any) -> list[Case]:
    return [world.submit(external_id=f"conv-{8800 + 2 * n}", **fields) for n in range(count)]


def plant(world: World, person: User | None = None, domain: str = "billing") -> PlantedChallenge:
    """A challenge for ``person``, by default the reviewer; there must be one that fits, and now and then the lot wants
    one with an action, as some of the domain's cases have one."""
    person, planted, tries = person or world.reviewer, None, 0
    while planted is None and tries < TRIES:
        planted, tries = planting.plant(person, world.tenant, domain, fitness_of(person, world.tenant)), tries + 1
    assert planted is not None, "nothing was planted"
    return planted


def decide(world: World, case: Case, verdict: str = "accept", *, by: User | None = None, **fields: Any) -> Review:
    person = by or world.reviewer
    entry = claims.claim(case, person)
    fields = {"notes": "It says so."} | fields
    return reviews.submit(case.pk, Submission(verdict, **fields), actor=person, generation=entry.generation)


def judged(world: World, planted: PlantedChallenge) -> list[ChallengeResult]:
    """Its results, once the undo window is over."""
    with pretend_now(db_now() + timedelta(seconds=world.tenant.undo_seconds + 1)):
        return challenge_results.judge(planted.pk)


def missed(world: World, person: User | None = None, title: str = "") -> ChallengeResult:
    """One that ``person`` has accepted."""
    count = Challenge.objects.count()
    gold(world, title or f"Sixty days {count}")
    planted = plant(world, person)
    decide(world, planted.case, by=person)
    (result,) = judged(world, planted)
    return result
