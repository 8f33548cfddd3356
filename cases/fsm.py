"""Transitions made from a table of moves, so that a state machine is written once."""

from collections.abc import Callable

from django_fsm import transition

from .states import Move


def transition_for(moves: tuple[Move, ...], name: str) -> Callable:
    """The django-fsm transition of the ``name`` in ``moves``, on the field ``state``; it changes memory only."""
    move = next(move for move in moves if move.name == name)

    def change(self) -> None:
        pass

    change.__name__ = change.__qualname__ = move.name
    change.__doc__ = f"{', '.join(move.source)} → {move.target}: {move.why}."
    return transition(field="state", source=[str(state) for state in move.source], target=str(move.target))(change)
