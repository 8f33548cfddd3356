"""``/metrics``: off by default, and with the token the state of queues and health in Prometheus' own format."""

import re

import pytest
from django.test import Client

from tests.worlds import make_world

pytestmark = pytest.mark.django_db
SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)*\})? [0-9.]+')


def ask(header: str | None):
    return Client().get("/metrics", headers={"Authorization": header} if header else {})


def test_without_the_setting_or_the_token_there_is_no_such_page(settings):
    settings.METRICS_TOKEN = ""
    assert {ask(header).status_code for header in (None, "Bearer ", "Bearer x")} == {404}
    settings.METRICS_TOKEN = "right"
    assert {ask(header).status_code for header in (None, "Bearer", "Bearer wrong", "Token right")} == {404}


def test_the_token_opens_the_figures(settings):
    settings.METRICS_TOKEN = "right"
    make_world("acme").submit()
    answer = ask("Bearer right")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert 'countersign_queue_waiting{tenant="acme",queue="general"} 1' in lines
    assert "countersign_metric_marks_due 1" in lines
    assert 'countersign_check_ok{check="Database"} 1' in lines
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.fullmatch(line)] == []
