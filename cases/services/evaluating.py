"""Signals that are computed here: the evaluators of ``SIGNAL_EVALUATORS``, run before an intake's transaction.

An evaluator is a Python callable that is given the parsed intake, as the API documents it, and answers a number in
[0, 1], or None where there is nothing to measure. It may take its time and may use the network: all of them together
have a deadline, and what is late or fails is missing (``cases.evaluations``).
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from ..evaluations import Evaluation, signals_with
from ..evaluator_pool import EvaluatorPool
from ..wire.intake import Intake
from . import evaluation_counts


def evaluated(intakes: Sequence[Intake]) -> list[Intake]:
    """``intakes`` with the signals that count and what became of each evaluation; those that have it stay as they are.

    Returns within ``SIGNAL_EVALUATION_SECONDS`` for each of them, and ``SIGNAL_EVALUATION_SECONDS_AT_MOST`` for all.
    Call it before a transaction begins: an evaluator may ask the network.
    """
    found = list(intakes)
    places = [place for place, intake in enumerate(found) if intake.evaluations is None]
    pools = evaluators()
    if not pools or not places:
        return found
    seconds = min(settings.SIGNAL_EVALUATION_SECONDS * len(places), settings.SIGNAL_EVALUATION_SECONDS_AT_MOST)
    deadline = time.monotonic() + seconds
    # Read-only, since an evaluator that is given up may go on reading while the intake goes on.
    arguments = [MappingProxyType(dict(found[place].values)) for place in places]
    batches = {name: pool.ask(arguments) for name, pool in pools.items()}
    answers = {name: batch.wait_until(deadline) for name, batch in batches.items()}
    evaluation_counts.count({name: [one.status for one in row] for name, row in answers.items()})
    for number, place in enumerate(places):
        found[place] = _with(found[place], {name: row[number] for name, row in answers.items()})
    return found


def _with(intake: Intake, answers: Mapping[str, Evaluation]) -> Intake:
    claimed = intake.get("signals", {})
    evaluations = {name: replace(found, claimed=claimed.get(name)) for name, found in answers.items()}
    values = {**intake.values, "signals": signals_with(claimed, evaluations)}
    return replace(intake, values=values, evaluations=evaluations)


def evaluators() -> Mapping[str, EvaluatorPool]:
    """This process's evaluators by the signal that they compute, in the order of the setting."""
    return _pools(tuple(settings.SIGNAL_EVALUATORS.items()), settings.SIGNAL_EVALUATOR_THREADS)


@cache
def _pools(named: tuple[tuple[str, str], ...], threads: int) -> Mapping[str, EvaluatorPool]:
    return {
        signal: EvaluatorPool(signal, import_string(path), threads, after=connections.close_all)
        for signal, path in named
    }


os.register_at_fork(after_in_child=_pools.cache_clear)  # A child has none of its parent's threads.
