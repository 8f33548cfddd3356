"""The states of a case and of an action: the state machine and the database allow exactly the same moves."""

import uuid
from collections import deque

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_fsm import TransitionNotAllowed, get_available_FIELD_transitions

from approvals import states as action_states
from approvals.models import ProposedAction
from cases import states
from cases.models import Case
from cases.states import State, legal_moves
from tests.worlds import SURE, make_world

pytestmark = pytest.mark.django_db

ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}
MACHINES = {
    "case": (Case, states.State, states.INITIAL, states.MOVES),
    "action": (ProposedAction, action_states.ActionState, action_states.INITIAL, action_states.MOVES),
}


@pytest.fixture(params=MACHINES)
def machine(request):
    return MACHINES[request.param]


@pytest.fixture
def row(machine):
    """A stored row of the machine's model, in a state from which every other one is reached."""
    world = make_world(rules={"new_release_reviews": 0})
    if machine[0] is Case:
        return world.submit(signals=SURE)
    with connection.cursor() as cursor:  # What signatures a move needs is asked elsewhere; until the test's rollback.
        cursor.execute("ALTER TABLE approvals_proposedaction DISABLE TRIGGER signed")
    return world.submit(proposed_action=ACTION).actions.get()


def set_state(row, state: str) -> None:
    """Change the column by SQL, with the instants that the table's own check wants beside it."""
    with connection.cursor() as cursor:
        if isinstance(row, Case):
            decided = timezone.now() if state in states.DECIDED else None
            cursor.execute(
                "UPDATE cases_case SET state = %s, decided_at = %s, final_at = %s WHERE id = %s",
                [state, decided, decided, row.pk],
            )
        else:
            cursor.execute("UPDATE approvals_proposedaction SET state = %s WHERE id = %s", [state, row.pk])


def walk_to(row, goal: str, moves) -> None:
    """Bring the row to ``goal`` by legal moves alone."""
    paths, seen = deque([[row.state]]), {row.state}
    while (path := paths.popleft())[-1] != goal:
        for source, target in sorted(legal_moves(moves)):
            if source == path[-1] and target not in seen:
                seen.add(target)
                paths.append([*path, target])
    for state in path[1:]:
        set_state(row, state)


def is_allowed(change) -> bool:
    """Whether the database lets ``change`` pass; it is rolled back either way."""

    class Undo(Exception):
        pass

    try:
        with transaction.atomic():
            change()
            raise Undo
    except IntegrityError as error:
        assert "cannot go from" in str(error) or "cannot begin as" in str(error), error
        return False
    except Undo:
        return True


def insert_copy(row, state: str) -> None:
    """Insert a copy of ``row`` in ``state`` with keys of its own; foreign keys are checked at the commit, which never
    comes."""
    own = {"id", "content_id", "current_draft_id"}
    columns = [field.column for field in row._meta.concrete_fields]
    decided = timezone.now() if isinstance(row, Case) and state in states.DECIDED else None
    values, parameters = [], []
    for column in columns:
        if column in own:
            values.append("%s")
            parameters.append(uuid.uuid4())
        elif column == "state":
            values.append("%s")
            parameters.append(state)
        elif column in {"decided_at", "final_at"}:
            values.append("%s::timestamptz")
            parameters.append(decided)
        else:
            values.append(f'"{column}"')
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {row._meta.db_table} ({names}) SELECT {', '.join(values)} "
            f"FROM {row._meta.db_table} WHERE id = %s",
            [*parameters, row.pk],
        )


def test_the_database_allows_exactly_the_moves_of_the_table_between_every_pair_of_states(machine, row):
    _, words, _, moves = machine
    allowed = set()
    for source in words.values:
        with transaction.atomic():
            start = transaction.savepoint()
            walk_to(row, source, moves)
            allowed |= {
                (source, target) for target in words.values if is_allowed(lambda target=target: set_state(row, target))
            }
            transaction.savepoint_rollback(start)
    # A row that is written again without a change of state is no move.
    assert allowed - {(state, state) for state in words.values} == legal_moves(moves)


def test_the_state_machine_allows_exactly_the_moves_of_the_table_by_every_transition(machine):
    model, words, _, moves = machine
    allowed = set()
    for source in words.values:
        for move in moves:
            instance = model(state=source)
            try:
                getattr(instance, move.name)()
            except TransitionNotAllowed:
                assert instance.state == source
            else:
                allowed.add((move.name, source, instance.state))
    assert allowed == {(move.name, str(source), str(move.target)) for move in moves for source in move.source}


def test_the_state_machine_has_no_transition_beside_the_table(machine):
    model, words, _, moves = machine
    known = {
        (str(source), transition.name)
        for source in words.values
        for transition in get_available_FIELD_transitions(model(state=source), model._meta.get_field("state"))
    }
    assert known == {(str(source), move.name) for move in moves for source in move.source}


def test_the_database_lets_a_row_begin_in_the_initial_states_only(machine, row):
    _, words, initial, _ = machine
    allowed = {state for state in words.values if is_allowed(lambda state=state: insert_copy(row, state))}
    assert allowed == set(map(str, initial))


def test_the_trigger_cannot_be_passed_by_a_replication_role(machine, row):
    _, words, _, moves = machine
    illegal = next(state for state in words.values if (row.state, state) not in legal_moves(moves) | {(row.state,) * 2})
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    assert not is_allowed(lambda: set_state(row, illegal))


def test_no_python_code_sets_the_state_by_hand():
    for model in (Case, ProposedAction):
        instance = model(state=model._meta.get_field("state").choices[0][0])
        with pytest.raises(AttributeError):
            instance.state = State.APPROVED


@pytest.mark.parametrize("by", ["update", "bulk_update", "bulk_create", "save"])
def test_no_way_of_the_orm_makes_an_illegal_move(by):
    case = make_world().submit()
    draftless = Case.objects.get(pk=case.pk)
    draftless.__dict__["state"] = State.NEEDS_EDIT
    withdrawn = Case.objects.get(pk=case.pk)
    withdrawn.__dict__["state"] = State.WITHDRAWN
    set_state(case, State.WITHDRAWN)

    def change():
        match by:
            case "update":
                Case.objects.filter(pk=case.pk).update(state=State.PENDING_REVIEW)
            case "bulk_update":
                Case.objects.bulk_update([draftless], ["state"])
            case "bulk_create":
                withdrawn.pk, withdrawn.content_id, withdrawn.current_draft_id = (uuid.uuid4() for _ in range(3))
                Case.objects.bulk_create([withdrawn])
            case "save":
                draftless.save(update_fields=["state"])

    assert not is_allowed(change)
    assert Case.objects.get(pk=case.pk).state == State.WITHDRAWN


def test_every_state_is_reached_by_some_path(machine):
    _, words, initial, moves = machine
    reached, grew = set(map(str, initial)), True
    while grew:
        more = {target for source, target in legal_moves(moves) if source in reached} - reached
        reached |= more
        grew = bool(more)
    assert reached == set(words.values)


def test_terminal_actions_have_no_way_out():
    sources = {source for source, _ in legal_moves(action_states.MOVES)}
    assert not sources & set(map(str, action_states.TERMINAL))
    assert sources | set(map(str, action_states.TERMINAL)) == set(action_states.ActionState.values)


def test_a_decided_case_says_when_and_an_open_one_has_no_decision():
    case = make_world().submit()
    with pytest.raises(IntegrityError, match="decided_cases_say_when"), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(state=State.APPROVED)
    with pytest.raises(IntegrityError, match="decided_cases_say_when"), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(final_at=timezone.now())
