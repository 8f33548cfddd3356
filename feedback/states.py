"""The states of a weekly export: the database's trigger is built from these moves."""

from cases.states import Move

EXPORT_INITIAL = ("frozen",)
EXPORT_MOVES = (Move("deliver", ("frozen",), "ready", "its files are in the storage and it is announced"),)
