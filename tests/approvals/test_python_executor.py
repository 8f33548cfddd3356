"""Executors in Python: named in the settings, held to the interface, waited for so long and no longer."""

import threading

import pytest

from approvals.executors import Call, NoExecutor, Outcome, Preview, PreviewFailed, python
from approvals.executors.python import python_executor

CALL = Call("act_1", "issue_refund", b"{}")
release = threading.Event()
calls: list[str] = []


class Good:
    def preview(self, call: Call) -> Preview:
        return Preview({"total": "80.00"}, {"balance": "1.00"})

    def execute(self, call: Call) -> Outcome:
        calls.append(call.action_id)
        return Outcome("executed", {"reference": "r"})

    def look_up(self, call: Call) -> Outcome:
        return Outcome("absent")


class Raising(Good):
    def preview(self, call: Call) -> Preview:
        raise PreviewFailed("preview_refused", "No such order.", is_refusal=True)

    def execute(self, call: Call) -> Outcome:
        raise RuntimeError("the password is hunter2")


class Odd(Good):
    def preview(self, call: Call) -> Preview:
        return Preview({"at": object()})

    def execute(self, call: Call) -> Outcome:
        return Outcome("absent")

    def look_up(self, call: Call):
        return "executed"


class Hanging(Good):
    def execute(self, call: Call) -> Outcome:
        release.wait(20)
        return Outcome("executed")


@pytest.fixture(autouse=True)
def known(settings):
    settings.ACTION_EXECUTORS = {kind.__name__.lower(): f"{__name__}.{kind.__name__}" for kind in (Good, Raising, Odd)}
    settings.ACTION_EXECUTORS["hanging"] = f"{__name__}.Hanging"
    calls.clear()


def test_it_previews_executes_and_looks_up():
    executor = python_executor("good", seconds=2)
    assert executor.preview(CALL).binding == {"total": "80.00"}
    assert executor.execute(CALL) == Outcome("executed", {"reference": "r"})
    assert executor.look_up(CALL).state == "absent"
    assert calls == ["act_1"]


@pytest.mark.parametrize("name", ["os.system", "", f"{__name__}.Good", "unknown"])
def test_only_a_name_of_the_settings_leads_to_code(name):
    with pytest.raises(NoExecutor):
        python_executor(name, seconds=2)


def test_an_exception_leaves_the_result_unknown_and_its_words_in_the_log():
    outcome = python_executor("raising", seconds=2).execute(CALL)
    assert (outcome.state, outcome.was_sent) == ("unknown", True)
    assert "hunter2" not in outcome.cause


def test_a_refused_preview_arrives_as_it_was_raised():
    with pytest.raises(PreviewFailed, match="No such order"):
        python_executor("raising", seconds=2).preview(CALL)


def test_nonsense_is_no_answer():
    executor = python_executor("odd", seconds=2)
    with pytest.raises(PreviewFailed):
        executor.preview(CALL)
    assert executor.execute(CALL).state == executor.look_up(CALL).state == "unknown"


def test_a_call_that_hangs_is_unknown_and_those_beyond_its_places_are_not_sent(monkeypatch):
    release.clear()
    executor = python_executor("hanging", seconds=0.05)
    try:
        first = [executor.execute(CALL) for _ in range(python.PLACES)]
        assert {(one.state, one.was_sent) for one in first} == {("unknown", True)}
        beyond = executor.execute(CALL)
        assert (beyond.state, beyond.was_sent, beyond.retry_after) == ("unknown", False, python.BUSY_RETRY)
    finally:
        release.set()
