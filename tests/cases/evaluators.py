"""Evaluators for tests: named in ``SIGNAL_EVALUATORS`` by their dotted paths."""

import threading
import time

HELD = threading.Event()  # ``hang`` returns once it is set.
CALLS: list[str] = []


def fair(sent):
    CALLS.append(sent["user_question"])
    return 0.41


def nothing(sent):
    return None


def fail(sent):
    raise RuntimeError(sent["model_draft"])


def absurd(sent):
    return 1.7


def leave(sent):
    raise SystemExit(3)


def hang(sent):
    HELD.wait(60)
    return 1.0


def slow_now_and_then(sent):
    if "slow" in sent["user_question"]:
        time.sleep(2)
    return 0.9


not_callable = "text"
