"""A proposed action's way: who waits for whom, and from where nothing returns.

That the state machine and the database agree on every pair stands in ``tests/cases/test_states.py``.
"""

import pytest
from django_fsm import TransitionNotAllowed

from approvals.models import ProposedAction
from approvals.states import BEFORE_EXECUTION, INITIAL, MOVES, TERMINAL, ActionState

S = ActionState


def walk(*moves: str) -> ProposedAction:
    action = ProposedAction()
    for move in moves:
        getattr(action, move)()
    return action


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ((), S.PROPOSED),
        (("preview", "ask_approval", "approve", "execute", "succeed"), S.EXECUTED),
        (("preview", "run_alone", "execute", "succeed"), S.EXECUTED),
        (("preview", "ask_approval", "approve", "execute", "fail"), S.FAILED),
        (("preview", "run_alone", "execute", "lose_track", "succeed"), S.EXECUTED),
        (("preview", "run_alone", "execute", "lose_track", "fail"), S.FAILED),
        (("preview", "run_alone", "execute", "lose_track", "resend", "succeed"), S.EXECUTED),
        (("preview", "ask_approval", "reject"), S.REJECTED),
        (("preview", "ask_approval", "edit", "preview", "ask_approval"), S.PENDING_APPROVAL),
        (("preview", "ask_approval", "approve", "drift"), S.PROPOSED),
        (("preview", "ask_approval", "approve", "revoke"), S.PENDING_APPROVAL),
        (("preview_failed", "retry_preview", "preview"), S.PREVIEWED),
    ],
)
def test_the_ways_that_an_action_goes(moves, state):
    assert walk(*moves).state == state


@pytest.mark.parametrize(
    "moves",
    [
        ("approve",),
        ("run_alone",),
        ("execute",),
        ("preview", "approve"),
        ("preview", "execute"),
        ("preview", "ask_approval", "execute"),
        ("preview_failed", "run_alone"),
        ("preview", "run_alone", "execute", "execute"),
        ("preview", "run_alone", "execute", "cancel"),
        ("preview", "run_alone", "execute", "expire"),
        ("preview", "run_alone", "execute", "lose_track", "cancel"),
        ("preview", "run_alone", "execute", "succeed", "resend"),
        ("preview", "run_alone", "execute", "fail", "resend"),
        ("preview", "ask_approval", "reject", "approve"),
    ],
)
def test_no_short_cut_leads_to_an_execution_and_none_leads_back_from_an_end(moves):
    with pytest.raises(TransitionNotAllowed):
        walk(*moves)


@pytest.mark.parametrize("state", BEFORE_EXECUTION)
@pytest.mark.parametrize(("move", "end"), [("cancel", S.CANCELLED), ("expire", S.EXPIRED)])
def test_whatever_does_not_run_yet_can_be_cancelled_and_expires(state, move, end):
    action = ProposedAction(state=state)
    getattr(action, move)()
    assert (action.state, action.is_terminal) == (end, True)


def test_an_execution_begins_from_an_approval_or_from_an_unknown_result_alone():
    assert {move.name: move.source for move in MOVES if move.target == S.EXECUTING} == {
        "execute": (S.APPROVED,),
        "resend": (S.UNKNOWN,),
    }


def test_every_state_is_either_an_end_or_has_a_way_on():
    assert set(TERMINAL).isdisjoint(BEFORE_EXECUTION)
    assert set(ActionState) == {*TERMINAL, *BEFORE_EXECUTION, S.EXECUTING, S.UNKNOWN}
    assert INITIAL == (S.PROPOSED,)
