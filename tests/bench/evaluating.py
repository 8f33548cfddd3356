"""What evaluators cost an intake: none, groundedness by words, and one that hangs for good, in turns.

The one that hangs is asked until all of its threads are lost; from then on it costs what none does.
"""

import threading
from collections.abc import Iterator
from functools import partial
from statistics import median

from django.conf import settings

from cases.models import EvaluationCount
from cases.services import evaluating, intake
from cases.wire.intake import parse_intake

from .figures import Figure, ms
from .ground import FEW, Ground
from .load import timed
from .taking_in import payload

GROUNDED = "answer_groundedness"
NAMED = {
    "no evaluator": {},
    "groundedness": {GROUNDED: "cases.groundedness.evaluate"},
    "an evaluator that hangs": {"judge_score": f"{__name__}.hang"},
}
_released = threading.Event()


def hang(sent) -> float:
    _released.wait()
    return 1.0


def evaluators_in_intake(ground: Ground, intakes: int) -> Iterator[Figure]:
    """One intake in process, one by one in turns. Fails where an evaluation was not counted."""
    submit = partial(intake.submit, actor=ground.world.service, tenant=ground.world.tenant)
    seconds: dict[str, list[float]] = {name: [] for name in NAMED}
    try:
        with ground.on(FEW):
            settings.SIGNAL_EVALUATORS = NAMED["an evaluator that hangs"]
            while evaluating.evaluators()["judge_score"].hanging < settings.SIGNAL_EVALUATOR_THREADS:
                submit(parse_intake(payload()))
            for number in range(intakes):
                for place in range(len(NAMED)):
                    name = list(NAMED)[(number + place) % len(NAMED)]  # Whoever is first has the colder caches.
                    settings.SIGNAL_EVALUATORS = NAMED[name]
                    sent = parse_intake(payload())
                    seconds[name].append(timed(partial(submit, sent)))
            if not EvaluationCount.objects.exists():
                raise AssertionError("no evaluation was counted")
    finally:
        settings.SIGNAL_EVALUATORS = {}
        _released.set()
    base = median(seconds["no evaluator"])
    yield Figure("one intake, in process, no evaluator", intakes, f"p50 {ms(base)}")
    for name in list(NAMED)[1:]:
        p50 = median(seconds[name])
        yield Figure(f"one intake, in process, {name}", intakes, f"p50 {ms(p50)}", p50 / base, "no evaluator")
