"""Overrides for tests, made through the services that people use."""

from datetime import datetime, timedelta
from typing import Any

from cases.clock import db_now, pretend_now
from cases.models import Case, User
from cases.vocabulary import Verdict
from feedback.models import Review
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.submissions import complete
from tests.worlds import World

AN_HOUR = timedelta(hours=1)


def decide(
    world: World, submission: Submission, *, at: datetime | None = None, user: User | None = None, **case: Any
) -> Review:
    """A case of ``world`` decided at ``at``, by default an hour ago: final by now."""
    with pretend_now(at or db_now() - AN_HOUR):
        return decide_case(world, world.submit(**case), submission, user=user)


def decide_case(world: World, case: Case, submission: Submission, *, user: User | None = None) -> Review:
    entry = claims.claim(case, user or world.reviewer)
    return reviews.submit(
        case.pk, complete(submission, entry), actor=user or world.reviewer, generation=entry.generation
    )


def override(world: World, *, at: datetime | None = None, case: dict[str, Any] | None = None, **texts: Any) -> Review:
    """A final override: by default an edit for a wrong fact."""
    texts = {"final_answer": "No: within 30 days.", "reason_code": "wrong_fact", "notes": "30 days, not 60"} | texts
    return decide(world, Submission(Verdict.EDIT, **texts), at=at, **(case or {}))


def override_now(world: World, **texts: Any) -> Review:
    """An override in this very moment: not final yet."""
    return override(world, at=db_now(), **texts)
