"""Setting a case aside over REST."""

from datetime import timedelta

import pytest

from cases.clock import db_now
from queues.models import Entry
from tests.callers import Caller
from tests.worlds import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def rita(world) -> Caller:
    return Caller(world.reviewer, world.tenant)


def claimed(world, caller) -> tuple[str, int]:
    world.submit()
    answer = caller.post("queues/claim/", {}).json()
    return f"cases/{answer['case_id']}/", answer["generation"]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("skip", {"reason": "Not my field"}),
        ("decline", {"reason": "My sister"}),
        ("snooze", {"until": "soon"}),
    ],
)
def test_a_case_is_set_aside_once_and_a_stale_generation_is_a_412(world, rita, verb, body):
    path, generation = claimed(world, rita)
    body = {"until": (db_now() + timedelta(hours=1)).isoformat()} if verb == "snooze" else body
    key = {"Idempotency_Key": "once"}
    for _ in range(2):
        assert rita.post(f"{path}{verb}/", body | {"generation": generation}, **key).status_code == 204
    assert Entry.objects.get().claimed_by is None
    answer = rita.post(f"{path}{verb}/", body | {"generation": generation})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_generation")


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("skip", {}, "/reason"),
        ("skip", {"reason": "x" * 2001}, "/reason"),
        ("decline", {"reason": 7}, "/reason"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "/until"),
        ("snooze", {"until": "2020-01-01T00:00:00"}, "/until"),
        ("consult", {"question": "?", "colleague": "nobody"}, "/colleague"),
        ("consult", {"question": "?", "colleague": "carl@acme", "hours": 25}, "/hours"),
        ("consult", {"question": "?", "colleague": "carl@acme", "why": 1}, "/why"),
    ],
)
def test_a_bad_body_names_its_field_and_changes_nothing(world, rita, verb, body, pointer):
    path, generation = claimed(world, rita)
    answer = rita.post(f"{path}{verb}/", body | {"generation": generation})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert Entry.objects.get().claimed_by == world.reviewer


def test_who_lost_their_claim_learns_that_first_and_nothing_of_who_else_is_there(world, rita):
    path, generation = claimed(world, rita)
    for colleague in ("carl@acme", "nobody"):
        body = {"question": "?", "colleague": colleague, "generation": generation + 1}
        answer = rita.post(f"{path}consult/", body)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_generation")


def test_a_question_is_listed_answered_and_the_case_comes_back(world, rita):
    carl = Caller(world.colleague, world.tenant)
    path, generation = claimed(world, rita)
    body = {"generation": generation, "colleague": "carl@acme", "question": "Is this covered?", "hours": 2}
    assert rita.post(f"{path}consult/", body).status_code == 201
    assert rita.get("questions/").json()["results"] == []
    (question,) = carl.get("questions/").json()["results"]
    assert (question["question"], question["asker"]) == ("Is this covered?", "rita@acme")
    assert rita.post(f"{path}answer/", {"answer": "Yes"}).json()["code"] == "not_asked"
    assert carl.post(f"{path}answer/", {"answer": "Yes"}).status_code == 204
    assert carl.get("questions/").json()["results"] == []
    assert rita.post("queues/claim/", {}).status_code == 200


def test_who_asked_goes_on_without_the_answer(world, rita):
    path, generation = claimed(world, rita)
    rita.post(f"{path}consult/", {"generation": generation, "colleague": "carl@acme", "question": "?"})
    assert rita.post(f"{path}stop-waiting/", {}).status_code == 204
    assert rita.post(f"{path}stop-waiting/", {}).status_code == 409
    assert Entry.objects.get().kept_for == world.reviewer


def test_a_service_account_sets_nothing_aside(world, rita):
    path, generation = claimed(world, rita)
    service = Caller(world.service, world.tenant)
    assert service.post(f"{path}skip/", {"generation": generation, "reason": "r"}).status_code == 412
    assert service.get("questions/").json()["results"] == []
