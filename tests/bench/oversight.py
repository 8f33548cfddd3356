"""Error left after quorum 1, 2 and 3, beside what independent people would leave: ``python -m tests.bench.oversight``.

Simulated people decide the real labelled sets: each is wrong with a known probability, and careless with another, in
which case they accept whatever is there. The rule that counts their votes is the product's own, ``feedback.quorum``.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from pathlib import Path

from feedback.quorum import Standing, Voice, most, tally

DATA = Path(os.environ.get("REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
SETS = ("actions_airline", "answers_begin", "answers_halueval")
ACCEPT, REJECT = Voice("accept"), Voice("reject")


@dataclass(frozen=True)
class Person:
    """``error``: the chance to be wrong after looking; ``carelessness``: the chance to accept without looking."""

    error: float
    carelessness: float = 0.0

    def wrong(self, is_correct: bool) -> float:
        """The chance of a wrong verdict on a case whose AI is right or not."""
        looked = (1 - self.carelessness) * self.error
        return looked if is_correct else looked + self.carelessness

    def says(self, is_correct: bool, dice: random.Random) -> Voice:
        is_wrong = dice.random() < self.wrong(is_correct)
        return ACCEPT if is_correct is not is_wrong else REJECT


@dataclass(frozen=True)
class Left:
    """What a quorum leaves: the share of wrong outcomes, the share expected, and reviews for each case."""

    required: int
    error: float
    expected: float
    reviews: float
    cases: int

    @property
    def deviation(self) -> float:
        """How far the error is from the expectation, in standard errors."""
        return (self.error - self.expected) / sqrt(max(self.expected * (1 - self.expected), 1e-12) / self.cases)


def binomial(required: int, wrong: float) -> float:
    """The chance that more than half of ``most(required)`` independent people are wrong, each with chance ``wrong``.

    To stop as soon as a majority is there changes how many are asked, and not who wins.
    """
    asked = most(required)
    return sum(comb(asked, k) * wrong**k * (1 - wrong) ** (asked - k) for k in range(asked // 2 + 1, asked + 1))


def simulate(truths: Sequence[bool], person: Person, required: int, *, rounds: int, seed: int | str = 1) -> Left:
    """``rounds`` times over ``truths``, each whether the AI was right, with people like ``person``."""
    dice, wrong, reviews = random.Random(seed), 0, 0
    for is_correct in truths:
        for _ in range(rounds):
            voices: list[Voice] = []
            while tally(voices, required) == Standing.OPEN:
                voices.append(person.says(is_correct, dice))
            assert tally(voices, required) == Standing.DECIDED, "two verdicts alone cannot split an odd number"
            wrong += (voices[-1] == ACCEPT) is not is_correct
            reviews += len(voices)
    cases = len(truths) * rounds
    expected = sum(binomial(required, person.wrong(is_correct)) for is_correct in truths) / len(truths)
    return Left(required, wrong / cases, expected, reviews / cases, cases)


def truths_of(name: str) -> list[bool]:
    """Whether the AI was right, for each line of a labelled set."""
    with (DATA / f"{name}.labels.jsonl").open() as file:
        return [bool(json.loads(line)["correct"]) for line in file]


def measured(rounds: int) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| set | error | careless | quorum | cases | wrong | by the binomial | standard errors | reviews a case |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in SETS:
        truths = truths_of(name)
        for person in (Person(0.05), Person(0.2), Person(0.05, carelessness=0.3)):
            for required in (1, 2, 3):
                left = simulate(truths, person, required, rounds=rounds, seed=f"{name}, {person}, {required}")
                yield (
                    f"| {name} | {person.error:.0%} | {person.carelessness:.0%} | {required} | {left.cases:,} "
                    f"| {left.error:.2%} | {left.expected:.2%} | {left.deviation:+.1f} | {left.reviews:.2f} |"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    for line in measured(5 if parser.parse_args().quick else 50):
        print(line)


if __name__ == "__main__":
    main()
