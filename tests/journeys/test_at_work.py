"""Whatever changes something has a name that its history carries: a task its id, a command its own."""

import pytest
from structlog.contextvars import bound_contextvars, clear_contextvars, get_contextvars

from cases.history import current_request
from cases.models import CaseEvent
from cases.services import lifecycle
from cases.tasks import purge_keys
from config import at_work
from config.celery import app
from tests.worlds import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_bound():
    clear_contextvars()
    yield
    clear_contextvars()


@app.task(name="tests.withdraw", shared=False)
def withdraw(case_id: str, actor_id: str) -> None:
    from cases.models import User

    lifecycle.withdraw(case_id, actor=User.objects.get(pk=actor_id), reason="test")


def test_what_a_task_changes_carries_the_tasks_id_in_events_and_history():
    world = make_world()
    case = world.submit()
    done = withdraw.apply(args=[str(case.pk), str(world.service.pk)], task_id="5d2c")
    assert done.successful(), done.result
    assert CaseEvent.objects.get(case=case, kind="case.withdrawn").request_id == "task-5d2c"
    assert case.history.latest("history_id").request_id == "task-5d2c"
    assert current_request() == "", "the next task is another"


def test_a_task_within_a_request_is_part_of_it():
    with bound_contextvars(request_id="req-1"):
        purge_keys.apply()
        assert current_request() == "req-1"


def test_a_command_is_named_once_by_what_it_is():
    at_work.name_command(["manage.py"])
    assert get_contextvars() == {}
    at_work.name_command(["manage.py", "retain", "--tenant", "acme"])
    name = current_request()
    assert name.startswith("retain-") and len(name) == len("retain-") + 12
    at_work.name_command(["manage.py", "sweep"])
    assert current_request() == name
