"""One sweep over everything that waits: what the beat sends, and what ``manage.py sweep`` runs by hand."""

from dataclasses import dataclass

from .claims import return_lost
from .consults import sweep_consultations
from .deadlines import Swept, sweep_deadlines
from .keeping import sweep_kept, sweep_passed
from .shifts import sweep_shifts


@dataclass
class Sweep:
    """How many leases came back, questions lapsed, kept and skipped cases went back to all, and hours turned; and what
    became of the deadlines."""

    leases: int = 0
    questions: int = 0
    kept: int = 0
    passed: int = 0
    shifts: int = 0
    deadlines: Swept | None = None


_PARTS = {  # Deadlines come last, so that they meet what the others have given back.
    "leases": return_lost,
    "questions": sweep_consultations,
    "kept": sweep_kept,
    "passed": sweep_passed,
    "shifts": sweep_shifts,
    "deadlines": sweep_deadlines,
}


def sweep() -> Sweep:
    """Every part once, each in transactions of its own. Safe to run twice at once.

    A part that fails keeps none of the others from its turn: raises an ``ExceptionGroup`` after the last.
    """
    done, faults = Sweep(), []
    for name, part in _PARTS.items():
        try:
            setattr(done, name, part())
        except Exception as fault:
            faults.append(fault)
    if faults:
        raise ExceptionGroup("Not all of the sweep could be done", faults)
    return done
