"""Rate limits: so many requests a minute for each token, however many threads ask at once."""

import itertools
import secrets

import pytest
import structlog
from knox.crypto import hash_token
from redis import Redis

from cases.models.people import system_actor
from cases.services import people
from cases.vocabulary import Role
from cases.wire import ratelimit
from cases.wire.ratelimit import Quota, count_request, limit_of
from tests.callers import Caller
from tests.threads import failures, in_parallel
from tests.worlds import make_world

LIMIT = 20


@pytest.fixture
def world(db):
    return make_world(requests_per_minute=LIMIT)


@pytest.fixture(autouse=True)
def _awake(monkeypatch):
    monkeypatch.setattr(ratelimit, "_quiet_until", 0.0)


def next_window(caller):
    """Let the open window of ``caller`` end."""
    ratelimit._valkey().delete(ratelimit.window(hash_token(caller.token)))


def test_the_answers_count_down_and_then_refuse(world):
    caller = Caller(world.service, world.tenant)
    answers = [caller.get("automation/") for _ in range(LIMIT + 2)]
    assert [answer.status_code for answer in answers] == [200] * LIMIT + [429] * 2
    assert [int(answer["RateLimit-Remaining"]) for answer in answers] == [*reversed(range(LIMIT)), 0, 0]
    assert {answer["RateLimit-Limit"] for answer in answers} == {str(LIMIT)}
    assert all(0 < int(answer["RateLimit-Reset"]) <= 60 for answer in answers)
    assert answers[0]["RateLimit-Policy"] == f'"minute";q={LIMIT};w=60'
    assert answers[0]["RateLimit"] == f'"minute";r={LIMIT - 1};t={answers[0]["RateLimit-Reset"]}'


def test_a_refusal_is_a_problem_that_says_when_to_come_back(world):
    caller = Caller(world.service, world.tenant)
    answer = [caller.post("cases/", {}) for _ in range(LIMIT + 1)][-1]
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Retry-After"] == answer["RateLimit-Reset"]


def test_a_window_ends_after_a_minute_whatever_was_refused_in_it(world):
    caller = Caller(world.service, world.tenant)
    answers = [caller.get("automation/") for _ in range(LIMIT + 5)]
    assert 0 < ratelimit._valkey().pttl(ratelimit.window(hash_token(caller.token))) <= 60_000
    assert int(answers[-1]["RateLimit-Reset"]) <= int(answers[0]["RateLimit-Reset"])
    next_window(caller)
    assert caller.get("automation/").status_code == 200


def test_a_new_limit_counts_from_the_next_window_on(world):
    caller = Caller(world.service, world.tenant)
    caller.get("automation/")
    world.tenant.requests_per_minute = 3
    world.tenant.save_as(system_actor(), "tighter")
    assert caller.get("automation/")["RateLimit-Limit"] == str(LIMIT)
    next_window(caller)
    assert caller.get("automation/")["RateLimit-Limit"] == "3"


def test_each_token_has_its_own_count(world):
    one, other = Caller(world.service, world.tenant), Caller(world.service, world.tenant)
    for _ in range(LIMIT + 1):
        one.get("automation/")
    assert one.get("automation/").status_code == 429
    assert other.get("automation/").status_code == 200


def test_a_member_of_several_tenants_has_the_highest_limit(world):
    other = make_world("other", requests_per_minute=50)
    assert limit_of(world.service) == LIMIT
    people.assign_roles(world.service, other.tenant, [Role.INTEGRATION], actor=system_actor())
    assert limit_of(world.service) == 50
    assert limit_of(system_actor()) == ratelimit.DEFAULT_LIMIT


def test_an_unknown_token_is_401_and_not_counted(world, client):
    answer = client.get("/api/v1/automation/", headers={"Authorization": "Token " + "x" * 40})
    assert answer.status_code == 401
    assert "RateLimit-Limit" not in answer


def test_what_needs_no_token_is_not_counted(world, client):
    assert "RateLimit-Limit" not in client.get("/api/schema/")


@pytest.mark.django_db(transaction=True)
def test_of_thirty_two_threads_exactly_the_limit_passes():
    world = make_world(requests_per_minute=LIMIT)
    caller = Caller(world.service, world.tenant)
    answers = in_parallel([lambda: [caller.get("automation/") for _ in range(3)]] * 32)
    assert failures(answers) == []
    statuses = [answer.status_code for answer in itertools.chain(*answers)]
    assert sorted(statuses) == [200] * LIMIT + [429] * (32 * 3 - LIMIT)


# --- without Valkey ----------------------------------------------------------------------------------------------


@pytest.fixture
def no_valkey(monkeypatch):
    """A server that nobody answers for; counts how often it was called."""
    calls = []
    dead = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1, retry=None)

    def connect():
        calls.append(1)
        return dead

    monkeypatch.setattr(ratelimit, "_valkey", connect)
    return calls


def test_without_valkey_every_request_passes_and_one_line_says_so(world, no_valkey):
    caller = Caller(world.service, world.tenant)
    with structlog.testing.capture_logs() as lines:
        answers = [caller.get("automation/") for _ in range(LIMIT + 5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit-Limit" in answer for answer in answers)
    assert [line["event"] for line in lines if line["event"] == "rate_limits_off"] == ["rate_limits_off"]
    assert len(no_valkey) == 1


def test_after_a_while_it_is_asked_again(world, no_valkey, monkeypatch):
    assert count_request("a" * 128, world.service) is None
    assert count_request("a" * 128, world.service) is None
    monkeypatch.setattr(ratelimit, "_quiet_until", 0.0)
    assert count_request("a" * 128, world.service) is None
    assert len(no_valkey) == 2


def test_counting_is_one_call_and_no_query_once_the_window_is_open(world, django_assert_num_queries):
    digest = secrets.token_hex(64)
    with django_assert_num_queries(1):
        assert count_request(digest, world.service) == Quota(LIMIT, 1, 60)
    with django_assert_num_queries(0):
        assert count_request(digest, world.service).count == 2
