"""Running evaluators beside a request: a few threads for each, a deadline, and nothing that waits for a hanging one.

A thread cannot be ended from outside. So their number is fixed, each evaluator has its own, and they are daemons: what
hangs costs its own threads, never another evaluator's, and does not hold up the end of the process. Once all of an
evaluator's threads are in calls that were given up, nothing more is asked of it, and nobody waits, until one returns.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from cases.confidence import reported
from cases.evaluations import Evaluation, Status

log = structlog.get_logger(__name__)

Evaluator = Callable[[Any], float | None]


@dataclass(eq=False)
class _Job:
    batch: "Batch"
    place: int
    argument: Any


@dataclass(eq=False)
class Batch:
    """What one request asked of one evaluator. ``found`` has a place for each argument."""

    pool: "EvaluatorPool"
    found: list[Evaluation | None]
    is_over: threading.Condition
    is_given_up: bool = False
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = len(self.found)

    def wait_until(self, deadline: float) -> list[Evaluation]:
        """What came out by ``deadline`` on the monotonic clock; the rest is late, and is not done any more."""
        with self.is_over:
            self.is_over.wait_for(lambda: self.left <= 0, timeout=max(0.0, deadline - time.monotonic()))
            self.is_given_up = True
            if self.left > 0:
                self.pool.forget(self)
            return [one or Evaluation(Status.LATE) for one in self.found]


class EvaluatorPool:
    """The threads of one evaluator in this process; they start with the first question."""

    def __init__(self, name: str, evaluator: Evaluator, threads: int, *, after: Callable[[], None] = lambda: None):
        """``after`` runs in the thread after each call, to give back what it holds."""
        self.name, self._evaluator, self._size, self._after = name, evaluator, threads, after
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._threads: list[threading.Thread] = []

    def ask(self, arguments: Sequence[Any]) -> Batch:
        """Begin to evaluate ``arguments``; where every thread hangs, all of them are late at once."""
        batch = Batch(self, [None] * len(arguments), threading.Condition(self._lock))
        with self._lock:
            if self._hanging() >= self._size:
                batch.left = 0
                return batch
            while len(self._threads) < min(self._size, len(self._running) + len(self._waiting) + len(arguments)):
                name = f"evaluator-{self.name}-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()
            self._waiting += (_Job(batch, place, argument) for place, argument in enumerate(arguments))
            self._asked.notify_all()
        return batch

    @property
    def hanging(self) -> int:
        """How many threads are in calls that nobody waits for any more."""
        with self._lock:
            return self._hanging()

    @property
    def size(self) -> int:
        """How many threads there are, at most as many as were asked for."""
        with self._lock:
            return len(self._threads)

    def forget(self, batch: Batch) -> None:
        """Take what waits of ``batch`` out of the line; called with the lock held."""
        self._waiting = deque(job for job in self._waiting if job.batch is not batch)

    def _hanging(self) -> int:
        return sum(job.batch.is_given_up for job in self._running)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._asked.wait_for(lambda: self._waiting)
                job = self._waiting.popleft()
                self._running.add(job)
            outcome = self._evaluate(job.argument)
            with self._lock:
                self._running.discard(job)
                if not job.batch.is_given_up:
                    job.batch.found[job.place] = outcome
                    job.batch.left -= 1
                    if job.batch.left == 0:
                        job.batch.is_over.notify_all()

    def _evaluate(self, argument: Any) -> Evaluation:
        try:
            value = self._evaluator(argument)
            if value is None:
                return Evaluation(Status.NOTHING)
            number = reported(value)
            if number is None or not 0 <= number <= 1:
                raise ValueError("an evaluator answers a number in [0, 1], or None")
            return Evaluation(Status.MEASURED, number)
        except BaseException as error:  # Whatever it raises, SystemExit too: the thread has to go on.
            log.warning("evaluator_failed", evaluator=self.name, error=type(error).__name__)  # Its text may be a draft.
            return Evaluation(Status.FAILED)
        finally:
            with suppress(Exception):
                self._after()
