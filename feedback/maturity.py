"""How far the AI may be trusted in a domain: its figures of a quarter, and what to do about them in words. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .advisor.intervals import Sums
from .metrics.advice import wilson

ENOUGH = 30  # decisions, audits or twofold judgements, below which they say nothing
SELDOM, OFTEN = 0.05, 0.30  # shares of overrides
RELIABLE = 0.667  # Krippendorff's least alpha from which conclusions may be drawn ("Content Analysis", 2004, ch. 11)


NOBODY = Sums()  # has looked at anything


class Stage(StrEnum):
    UNKNOWN = "Too little to say"
    BACK = "Step back"
    AGREE = "Agree first"
    MEND = "Mend the AI"
    PEOPLE = "People decide"
    TRY = "Try letting some pass"
    WATCH = "Watch closer"
    MORE = "Ready for more"


@dataclass(frozen=True)
class Standing:
    """One domain in one quarter. ``audits`` are the automatic approvals that were looked at, with their weights.

    ``alpha`` is the agreement of the first two people on ``twofold`` cases, None where it cannot be said.
    """

    domain: str
    quarter: datetime  # its beginning, where the tenant is
    cases: int = 0
    finals: int = 0
    automatic: int = 0
    judged: int = 0
    overridden: int = 0
    audits: Sums = NOBODY
    alpha: float | None = None
    twofold: int = 0

    @property
    def name(self) -> str:
        return f"{self.quarter.year} Q{(self.quarter.month + 2) // 3}"

    @property
    def override_rate(self) -> float | None:
        return self.overridden / self.judged if self.judged else None

    @property
    def override_interval(self) -> tuple[float, float]:
        return wilson(self.overridden, self.judged)

    @property
    def error(self) -> float | None:
        return self.audits.share

    @property
    def error_interval(self) -> tuple[float, float]:
        return self.audits.interval

    @property
    def automatic_share(self) -> float | None:
        return self.automatic / self.finals if self.finals else None

    @property
    def says_something(self) -> bool:
        return max(self.judged, self.audits.n) >= ENOUGH


def stage_of(one: Standing, tolerated: float) -> Stage:
    """What the figures allow, the gravest first; ``tolerated``: the share of automatic approvals that may be wrong."""
    if not one.says_something:
        return Stage.UNKNOWN
    low, high = one.error_interval
    if low > tolerated:
        return Stage.BACK
    if one.alpha is not None and one.twofold >= ENOUGH and one.alpha < RELIABLE:
        return Stage.AGREE
    least, most = one.override_interval
    if one.judged >= ENOUGH and least > OFTEN:
        return Stage.MEND
    if one.automatic:
        return Stage.MORE if high <= tolerated else Stage.WATCH
    return Stage.TRY if one.judged >= ENOUGH and most < SELDOM else Stage.PEOPLE


def recommendation(one: Standing, tolerated: float, before: Standing | None = None) -> str:
    """What to do, with the figures that it stands on, and how overrides moved since the quarter ``before``."""
    return f"{_advice(one, tolerated)}{_trend(one, before)}"


def _advice(one: Standing, tolerated: float) -> str:
    error = f"{share_words(one.error)} of what passes by itself is wrong ({interval_words(one.error_interval)})"
    allowed = f"the tolerated {share_words(tolerated)}"
    changed = f"people change {share_words(one.override_rate)} of the drafts ({interval_words(one.override_interval)})"
    match stage_of(one, tolerated):
        case Stage.UNKNOWN:
            return f"Decisions: {one.judged}, samples: {one.audits.n}. Wait for {ENOUGH} of either."
        case Stage.BACK:
            return f"{_begun(error)}, beyond {allowed}: raise the threshold, or let people decide for now."
        case Stage.AGREE:
            return (
                "Two people who judge the same case agree little beyond chance (alpha "
                f"{one.alpha:.2f} on {one.twofold} cases): settle what is right before "
                "more passes by itself. The other figures stand on their word."
            )
        case Stage.MEND:
            return f"{_begun(changed)}: keep people on it, and use their corrections to mend the AI."
        case Stage.MORE:
            return f"{_begun(error)}, within {allowed}: a lower threshold may be tried, best in a shadow first."
        case Stage.WATCH:
            seen = error if one.audits.n else "Nobody has looked at what passes by itself"
            return f"{_begun(seen)}: that does not show whether it is within {allowed}. Sample more of it."
        case Stage.TRY:
            return f"{_begun(changed)} and nothing passes by itself: the page of thresholds says what could."
        case _:
            return f"{_begun(changed)}: keep people on it, and look again next quarter."


def _trend(one: Standing, before: Standing | None) -> str:
    if before is None or min(one.judged, before.judged) < ENOUGH:
        return ""
    (low, high), (least, most) = one.override_interval, before.override_interval
    if low > most or high < least:
        way = "rose" if low > most else "fell"
        return f" Overrides {way} since {before.name}, from {share_words(before.override_rate)}."
    return ""


def share_words(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def interval_words(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{low * 100:.1f} to {high * 100:.1f} %"


def _begun(words: str) -> str:
    return words[0].upper() + words[1:]
