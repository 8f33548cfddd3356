"""What the beat asks for runs as a worker runs it: outside of any transaction, which most tests put around it."""

import pytest
from django.conf import settings

from config.celery import app
from tests.worlds import make_world

TASKS = sorted({entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()})


@pytest.mark.django_db(transaction=True)
def test_every_task_of_the_beat_runs_outside_of_a_transaction():
    make_world().submit()
    app.loader.import_default_modules()
    for task in TASKS:
        app.tasks[task]()
