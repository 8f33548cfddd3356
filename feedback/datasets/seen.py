"""A set of 64-bit numbers in a flat array: a million of them in 16 MB, and it goes to disk and back. Pure."""

from array import array
from pathlib import Path

_FIRST = 1 << 12
_FULLEST = 0.6
_SPREAD = 0x9E3779B97F4A7C15  # Knuth's multiplier: numbers that share their low bits do not share their slots.


class Seen:
    """Open addressing over ``array('Q')``; a Python set of the same numbers would take five times the memory."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, number: int) -> bool:
        """Whether ``number`` is new. 0 marks an empty slot and is kept as 1."""
        number = number or 1
        if self._count >= _FULLEST * len(self._slots):
            self._grow()
        at = self._place(self._slots, number)
        if self._slots[at] == number:
            return False
        self._slots[at] = number
        self._count += 1
        return True

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            array("Q", [self._count]).tofile(file)
            self._slots.tofile(file)

    @classmethod
    def load(cls, path: Path) -> "Seen":
        """What ``save`` wrote; raises ``OSError`` or ``EOFError`` where that is not whole."""
        found, head = cls(), array("Q")
        with path.open("rb") as file:
            head.fromfile(file, 1)
            found._slots = array("Q")
            found._slots.fromfile(file, path.stat().st_size // 8 - 1)
        found._count = head[0]
        return found

    def _grow(self) -> None:
        slots = array("Q", bytes(16 * len(self._slots)))
        for number in self._slots:
            if number:
                slots[self._place(slots, number)] = number
        self._slots = slots

    @staticmethod
    def _place(slots: array, number: int) -> int:
        mask = len(slots) - 1
        at = (number * _SPREAD >> 40) & mask
        while slots[at] not in (0, number):
            at = (at + 1) & mask
        return at
