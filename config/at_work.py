"""What is at work gets a name, which history and events keep as ``request_id``: a web request has one by itself
(``cases.wire.problems``); a task has its id, and a command its name and a lot."""

import os
import secrets
from collections.abc import Sequence
from typing import Any

from celery.signals import task_postrun, task_prerun
from structlog.contextvars import bind_contextvars, get_contextvars, unbind_contextvars

NAME = "request_id"


def name_command(argv: Sequence[str]) -> None:
    """For ``manage.py``: everything that this process changes outside of requests and tasks."""
    if len(argv) > 1 and NAME not in get_contextvars():
        bind_contextvars(**{NAME: f"{os.path.basename(argv[1])[:40]}-{secrets.token_hex(6)}"})


@task_prerun.connect
def name_task(task_id: str, **_: Any) -> None:
    """A task that runs within a request, as tests have it, is part of that request."""
    if NAME not in get_contextvars():
        bind_contextvars(**{NAME: _name_of(task_id)})


@task_postrun.connect
def forget_task(task_id: str, **_: Any) -> None:
    if get_contextvars().get(NAME) == _name_of(task_id):
        unbind_contextvars(NAME)


def _name_of(task_id: str) -> str:
    return f"task-{task_id}"
