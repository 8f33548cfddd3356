"""``GET metrics/``: who may ask, what is refused, JSON and CSV."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from cases.clock import db_now
from cases.models.people import system_actor
from cases.services.people import issue_token
from cases.vocabulary import Role
from feedback.metrics import rollups
from feedback.metrics.definitions import BY_METRIC, MEASURES, METRICS
from feedback.submission import Submission
from tests.feedback.corrections import decide_case
from tests.worlds import SURE, World, make_world


@pytest.fixture
def world(db) -> World:
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    world.submit(signals=SURE)
    decide_case(world, world.submit(), Submission("accept"))
    decide_case(world, world.submit(domain="returns"), Submission("reject", notes="no"))
    world.submit(risk_level="high")
    rollups.refresh()
    return world


def ask(world: World, user=None, *, accept: str = "application/json", **query: str):
    token = issue_token(user or world.supervisor, actor=system_actor(), tenant=world.tenant)
    headers = {"Authorization": f"Token {token}", "Accept": accept}
    return Client().get(f"/api/v1/metrics/?{urlencode(query)}", headers=headers)


def rows(world: World, **query: str) -> list[dict]:
    answer = ask(world, **query)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_without_a_question_every_metric_answers_for_the_last_weeks(world):
    answer = ask(world).json()
    assert [row["metric"] for row in answer["results"]] == list(BY_METRIC)
    found = {row["metric"]: row for row in answer["results"]}
    assert (found["escalation_rate"]["numerator"], found["escalation_rate"]["denominator"]) == ("3", "4")
    assert found["escalation_rate"]["value"] == 0.75
    assert found["rejection_rate"]["value"] == 0.333333
    assert found["user_satisfaction"]["value"] is None
    assert found["queue_age"]["denominator"] == "1"
    assert answer["time_zone"] == "UTC"
    assert answer["complete_until"] is not None


def test_figures_come_by_period_and_by_one_dimension(world):
    by_domain = rows(world, metric="escalation_rate", by="domain")
    assert {row["key"]: row["value"] for row in by_domain} == {"billing": 0.666667, "returns": 1.0}
    by_queue = rows(world, metric="sla_miss_rate", by="queue", group_by="day")
    assert {(row["key"], row["name"], row["denominator"]) for row in by_queue} >= {("general", "General", "2")}
    assert all(row["at"].endswith("00:00:00Z") for row in by_queue)
    (person,) = rows(world, metric="average_handling_time", by="reviewer")
    assert (person["key"], person["name"]) == ("rita@acme", "Rita")
    (only,) = rows(world, metric="override_rate", reviewer="rita@acme", domain="returns")
    assert (only["numerator"], only["denominator"]) == ("1", "1")


def test_the_same_comes_as_csv_by_format_or_by_accept(world):
    for answer in (ask(world, by="domain", format="csv"), ask(world, accept="text/csv", by="domain")):
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        lines = list(csv.DictReader(io.StringIO(answer.content.decode())))
        assert {line["key"] for line in lines} == {"billing", "returns"}
        assert {line["value"] for line in lines if line["metric"] == "rejection_rate"} == {"0.0", "1.0"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"colour": "red"}, "unknown_parameter"),
        ({"metric": "happiness"}, "invalid"),
        ({"by": ""}, "empty_parameter"),
        ({"from": "yesterday"}, "invalid"),
        ({"from": "2027-05-01T00:00:00Z", "to": "2027-05-01T00:00:00Z"}, "metrics_not_available"),
        ({"from": "2020-05-01T00:00:00Z"}, "metrics_not_available"),
        ({"to": "9999-12-31T23:59:59Z"}, "metrics_not_available"),
        ({"from": "9999-12-31T23:59:59Z"}, "metrics_not_available"),
        ({"by": "risk", "queue": "general"}, "metrics_not_available"),
        ({"risk": "low", "queue": "general"}, "metrics_not_available"),
        ({"metric": "queue_age", "group_by": "day"}, "metrics_not_available"),
        ({"format": "xml"}, "invalid_choice"),
    ],
)
def test_what_is_not_kept_or_not_known_is_refused(world, query, code):
    answer = ask(world, **query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json"), answer.content
    assert answer.json()["code"] == code


def test_refusals_are_problem_documents_to_those_who_ask_for_csv_too(world):
    answer = ask(world, accept="text/csv", colour="red")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert ask(world, queue="nowhere").status_code == 404


def test_only_those_with_the_right_see_figures_and_people(world):
    assert ask(world, world.reviewer).status_code == 403
    assert ask(world, world.service).status_code == 403
    assert ask(world, world.person("tara", Role.TENANT_ADMIN), by="reviewer").status_code == 200


def test_the_number_of_queries_does_not_grow_with_what_is_grouped(world, django_assert_max_num_queries):
    token = issue_token(world.supervisor, actor=system_actor(), tenant=world.tenant)
    ask(world)
    with django_assert_max_num_queries(16):
        Client().get("/api/v1/metrics/?by=queue&group_by=hour", headers={"Authorization": f"Token {token}"})


def test_a_window_is_widened_to_full_hours(world):
    now = db_now()
    answer = ask(world, **{"from": (now - timedelta(hours=2)).isoformat(), "to": now.isoformat()}).json()
    assert answer["from"].endswith(":00:00Z")
    assert answer["to"].endswith(":00:00Z")
    assert answer["results"][0]["denominator"] == "4"


def test_the_guide_explains_every_metric_as_it_is_defined():
    guide = (Path(settings.BASE_DIR) / "docs" / "metrics.md").read_text()
    for metric in METRICS:
        assert f"| `{metric.name}` | {metric.unit} |" in guide
        assert metric.words in guide
        assert not metric.below or f"`{metric.formula}`" in guide
    for measure in MEASURES:
        assert f"| `{measure.name}` | {measure.words} |" in guide
