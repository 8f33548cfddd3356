"""What evaluators of ours said of a draft's signals, beside what its caller claimed. Pure.

Where an evaluator is named for a signal, its word is the only one: a value that came out late, failed, or had nothing
to measure is missing, whatever the caller claims. What was claimed is kept and shown as a claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    MEASURED = "measured"
    NOTHING = "nothing"  # there was nothing to measure
    LATE = "late"
    FAILED = "failed"


FAULTS = (Status.LATE, Status.FAILED)


@dataclass(frozen=True)
class Evaluation:
    """``value`` in [0, 1] where it is measured and None otherwise; ``claimed`` is the caller's, None without one."""

    status: Status
    value: float | None = None
    claimed: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"status": str(self.status), "value": self.value, "claimed": self.claimed}


Evaluations = Mapping[str, Evaluation]


def signals_with(claimed: Mapping[str, float], evaluations: Evaluations) -> dict[str, float]:
    """The signals that count: the measured ones, and the caller's where we evaluate nothing."""
    measured = {name: found.value for name, found in evaluations.items() if found.value is not None}
    return {name: value for name, value in claimed.items() if name not in evaluations} | measured


def claimed_signals(signals: Mapping[str, float], evaluations: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What a draft's caller sent, from its stored signals and evaluations: the reverse of ``signals_with``."""
    claims = {name: found["claimed"] for name, found in evaluations.items() if found["claimed"] is not None}
    return {name: value for name, value in signals.items() if name not in evaluations} | claims


def annotated(contribution: Mapping[str, Any], evaluations: Evaluations) -> dict[str, Any]:
    """A contribution as it is stored and sent: with ``source`` and ``claimed`` where the signal is ours to measure.

    Its ``reading`` then says ``late`` or ``failed`` in place of ``missing``.
    """
    found = evaluations.get(contribution["signal"])
    if found is None:
        return dict(contribution)
    kept = dict(contribution) | {"source": str(found.status), "claimed": found.claimed}
    return kept | {"reading": str(found.status)} if found.status in FAULTS else kept
