"""Spreading a queue over the people at work: a pure plan, made of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")
E = TypeVar("E")


@dataclass
class Worker(Generic[P]):
    """Somebody at work: how much they may hold, and how much they have, in every queue together."""

    key: P
    capacity: int
    load: int

    @property
    def room(self) -> int:
        return self.capacity - self.load


@dataclass(frozen=True)
class Piece(Generic[E, P]):
    """A case: whose it is (None: nobody's), and who may have it."""

    key: E
    holder: P | None
    fits: frozenset[P]


def plan(workers: Sequence[Worker[P]], pieces: Sequence[Piece[E, P]]) -> list[tuple[E, P]]:
    """Which piece goes to whom; what is not named stays where it is. ``pieces`` come in the order of urgency.

    First what belongs to somebody who is not at work, or to somebody beyond their capacity, moves to who has most
    room; then pieces move from the fullest to the emptiest while they differ by two or more; then what is nobody's is
    dealt out, the most urgent first, while anybody who fits has room. Nobody is filled past their capacity, and nothing
    moves twice.
    """
    at_work = {worker.key: Worker(worker.key, worker.capacity, worker.load) for worker in workers}
    moves: dict[E, P] = {}

    def emptiest(piece: Piece[E, P]) -> Worker[P] | None:
        able = [at_work[key] for key in piece.fits if key in at_work and key != piece.holder and at_work[key].room > 0]
        return max(able, key=lambda worker: (worker.room, -worker.load, str(worker.key)), default=None)

    def give(piece: Piece[E, P], to: Worker[P]) -> None:
        if piece.holder in at_work:
            at_work[piece.holder].load -= 1
        to.load += 1
        moves[piece.key] = to.key

    # The least urgent of somebody's pieces move first: what they are likely to be at stays with them.
    held = [piece for piece in reversed(pieces) if piece.holder is not None]
    for piece in held:
        is_stranded = piece.holder not in at_work or at_work[piece.holder].room < 0
        if is_stranded and (to := emptiest(piece)):
            give(piece, to)
    for piece in held:
        if piece.key in moves or piece.holder not in at_work:
            continue
        to = emptiest(piece)
        if to and at_work[piece.holder].load - to.load >= 2:
            give(piece, to)
    for piece in pieces:
        if piece.holder is None and (to := emptiest(piece)):
            give(piece, to)
    return list(moves.items())
