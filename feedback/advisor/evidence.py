"""What is known of past cases, as sums: one group for each confidence, way and reason to be held. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .intervals import Sums


@dataclass(frozen=True)
class Group:
    """Cases of one confidence that went one way.

    ``can_pass``: nothing but the threshold sends them to people. ``was_automatic``: they passed by themselves, so that
    only a sample was looked at. ``seen``: those that a person has decided since.
    """

    confidence: float
    can_pass: bool
    was_automatic: bool
    cases: int
    seen: Sums = field(default_factory=Sums)
    domain: str = ""


def total(groups: Iterable[Group]) -> Sums:
    whole = Sums()
    for group in groups:
        whole += group.seen
    return whole
