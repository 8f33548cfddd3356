"""Advice by resampling: half of a labelled set advises, the other half is what comes after.

Pure: no database, and the same seeds each time. ``Figure.n`` is the number of resamples. For each set the confidence is
its one signal (a tenant with one score weighs only that), the present threshold 0.8; *sampled* means that of what
passed there only 30 % was looked at. *As expected*: the errors of the other half lie within what the advice stated for
so many cases (``Level.expected``); *interval*: the error of the whole set lies within the stated interval; *tolerated*:
it is within the tolerance. Learned weights are fitted and tried on the first half alone, as ``learning`` does, and
judged on the second: *beyond the margin* counts the resamples in which AUC, or Brier score, was worse there by more.
200 resamples of ``python -m tests.bench --only advice --answers FILE``:

| what | what came of it |
|---|---|
| answers_begin, tolerated 10 % | 43 of 200 advise a threshold: as expected 97.7 %, interval 100 %; else unclear |
| tolerated 20 %; sampled | 197: 97.5 %, 100 %; 54: 98.1 %, 100 % |
| tolerated 30 %; sampled | 200: 97.0 %, 100 %; 146: 98.6 %, 100 % |
| actions_airline, one coarse signal | 1 of 1,200 advises a threshold, and is wrong; else nothing may pass, or unclear |
| answers_halueval, no signal | too few, always: nothing could pass |
| learned, answers_begin, one signal | AUC 0.942 as before, Brier 0.154 to 0.095; adopted in 91 of 200, never beyond |
| learned, five readings, equal weights | AUC 0.921 to 0.933, Brier 0.166 to 0.102; adopted in 79, never beyond |
| learned, five readings, the best one alone by hand | 0.944 to 0.943, 0.153 to 0.094; adopted in 64, never beyond |
| learned, the three sets together | 0.398 to 0.400, 0.602 to 0.536; adopted in 193, of these 2 beyond in AUC |
| simulated, the weights set by hand are the best | 0.765 to 0.761, 0.204 to 0.182; adopted in 28, 2 beyond in AUC |
| simulated, they are the other way round | 0.591 to 0.753, 0.246 to 0.203; adopted in 193, never beyond |

The three sets together are no model of a tenant: what has no signal at all there is right more often than the rest.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from cases.confidence import SignalRule, combine, logistic
from cases.rules import DEFAULT_RULES, Rules
from cases.vocabulary import Signal, Use
from feedback.advisor.comparing import AUC_MARGIN, BRIER_MARGIN
from feedback.errors import TooFewDecisions
from feedback.services.learning import Decision, Lesson, learn_from
from tests.feedback.labelled import (
    SAID,
    Answer,
    advised,
    auc_of,
    brier_of,
    error_above,
    halves,
    read,
    sets_in,
)

from .figures import Figure

PRESENT = 0.8
SEED = 20_261_121


def advice(resamples: int, data: Path | None = None) -> Iterator[Figure]:
    """Every row; the labelled sets are those in the folder of ``data``."""
    folder = data.parent if data and data.exists() else None
    for name, path in sets_in(folder) if folder else ():
        rows = read(path)
        for tolerance in (0.1, 0.2, 0.3):
            for sampled in (1.0, 0.3):
                yield _advised(name, rows, tolerance, sampled, resamples)
    if folder:
        begin = folder / "answers_begin.jsonl"
        together = [one for _, path in sets_in(folder) for one in read(path)]
        yield from _learned("the three sets together, default weights", DEFAULT_RULES, together, resamples)
        if begin.exists():
            rules = replace(DEFAULT_RULES, signals=_equal("answer_groundedness"))
            yield from _learned("answers_begin, one signal", rules, read(begin), resamples)
            read_texts = read(begin, with_readings=True)
            names = ("answer_groundedness", *sorted(set(read_texts[0].signals) - {"answer_groundedness"}))
            rules = replace(DEFAULT_RULES, signals=_equal(*names))
            yield from _learned("answers_begin, five readings, equal weights", rules, read_texts, resamples)
            only = {name: SignalRule(1.0 if name == names[0] else 0.01, Use.OPTIONAL) for name in names}
            rules = replace(DEFAULT_RULES, signals={Signal(name): rule for name, rule in only.items()})
            yield from _learned("answers_begin, five readings, groundedness alone", rules, read_texts, resamples)
    for words, true in (("as set by hand", _by_hand), ("the other way round", _turned)):
        rows = _simulated(1_200, true)
        yield from _learned(f"1,200 simulated, worth {words}", DEFAULT_RULES, rows, resamples)


def _advised(name: str, rows: Sequence[Answer], tolerance: float, sampled: float, resamples: int) -> Figure:
    rng, kinds = random.Random(SEED), Counter()
    signals = Counter(signal for one in rows for signal in one.signals)
    signal = signals.most_common(1)[0][0] if signals else "answer_groundedness"
    expected = inside = tolerated = said = 0
    for _ in range(resamples):
        held = advised(rows, signal, rng, tolerance=tolerance, current=PRESENT, sampled=sampled)
        kinds[held.one.kind] += 1
        if held.one.kind in SAID:
            truth = error_above(rows, signal, held.one.level)
            said += 1
            expected += held.is_as_expected
            inside += held.holds(truth)
            tolerated += truth <= tolerance
    words = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    if said:
        shares = (f"{word} {count / said:.1%}" for word, count in
                  (("as expected", expected), ("interval", inside), ("tolerated", tolerated)))  # fmt: skip
        words = f"{', '.join(shares)}; {words}"
    way = "" if sampled == 1 else ", sampled"
    return Figure(f"advice, {name}, {tolerance:.0%}{way}", resamples, words)


def _learned(name: str, rules: Rules, rows: Sequence[Answer], resamples: int) -> Iterator[Figure]:
    rng, found, adopted = random.Random(SEED), [], []
    refused = 0
    for _ in range(resamples):
        first, second = halves(rows, rng)
        try:
            lesson = learn_from([Decision(None, one.signals, one.is_right) for one in first], rules)
        except TooFewDecisions:
            refused += 1
            continue
        found.append(_later(lesson, rules, second))
        if lesson.trial.is_not_worse:
            adopted.append(found[-1])
    if not found:
        yield Figure(f"learned, {name}", resamples, f"too few decisions in {refused}")
        return
    for words, rows_of in (("all", found), ("adopted", adopted)):
        yield Figure(f"learned, {name}: {words}", len(rows_of), _words(rows_of) if rows_of else "none")


def _later(lesson: Lesson, rules: Rules, rows: Sequence[Answer]) -> tuple[float, float, float, float]:
    """AUC and Brier score by hand and learned, on ``rows``."""
    values = []
    for learned in (None, lesson.learned):
        scored = [
            (combine(one.signals, rules.signals, clear_margin=rules.clear_margin, learned=learned).value, one.is_right)
            for one in rows
        ]
        values += [auc_of(scored), brier_of(scored)]
    return values[0], values[2], values[1], values[3]


def _words(rows: Sequence[tuple[float, float, float, float]]) -> str:
    old, new, old_brier, new_brier = (median(row[place] for row in rows) for place in range(4))
    worse = sum(row[1] < row[0] - AUC_MARGIN for row in rows), sum(row[3] > row[2] + BRIER_MARGIN for row in rows)
    return (
        f"AUC {old:.3f} to {new:.3f}, Brier {old_brier:.3f} to {new_brier:.3f}; "
        f"beyond the margin {worse[0]} and {worse[1]}"
    )


def _equal(*names: str) -> dict[Signal, SignalRule]:
    return {Signal(name): SignalRule(1.0, Use.OPTIONAL) for name in names}


def _by_hand(name: Signal) -> float:
    return 8 * DEFAULT_RULES.signals[name].weight


def _turned(name: Signal) -> float:
    return 8 * (0.3 - DEFAULT_RULES.signals[name].weight) / 1.25


def _simulated(n: int, true: Callable[[Signal], float]) -> list[Answer]:
    """Drafts whose chance of being right is a curve over seven signals; one signal in ten is missing."""
    rng, rows = random.Random(SEED), []
    names = [name for name in Signal if DEFAULT_RULES.signals[name].use != Use.UNUSED]
    for _ in range(n):
        signals = {str(name): rng.random() for name in names if rng.random() < 0.9}
        scores = {name: signals.get(str(name), 0.0) for name in names}
        scores[Signal.RERANK_MARGIN] = min(1.0, scores[Signal.RERANK_MARGIN] / DEFAULT_RULES.clear_margin)
        odds = -3.5 + sum(true(name) * score for name, score in scores.items())
        rows.append(Answer(signals, rng.random() < logistic(odds)))
    return rows
