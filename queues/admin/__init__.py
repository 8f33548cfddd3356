"""Queues, deadlines and reviewers in the back office."""

from . import calendars, entries, people, questions, queues, quorum

__all__ = ["calendars", "entries", "people", "questions", "queues", "quorum"]
