"""The Celery application; `celery -A config` finds it."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from config import at_work  # noqa: F401 - names each task
from config.signs_of_life import SignsOfLife

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["feedback.metrics"])
app.steps["worker"].add(SignsOfLife)


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Workers and beat write the same lines as the web: with a listener here, Celery installs no handler of its own."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
