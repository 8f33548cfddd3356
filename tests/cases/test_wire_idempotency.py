"""Idempotency keys: done once, answered alike, in one transaction with the effect."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import path
from knox.models import AuthToken
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.clock import db_now
from cases.errors import IllegalState
from cases.models import IdempotencyKey, User
from cases.wire.idempotency import KEPT, idempotent, purge


class Groups(APIView):
    """Makes a group of the given name: an effect that can be counted."""

    entered = threading.Event()
    go_on = threading.Event()

    @idempotent
    def post(self, request):
        name = request.data.get("name", "nameless")
        group = Group.objects.create(name=name)
        match request.data.get("then"):
            case "refuse":
                raise IllegalState("Refused. Nothing was stored.")
            case "break":
                raise RuntimeError
            case "empty":
                return Response(status=status.HTTP_204_NO_CONTENT)
            case "wait":
                self.entered.set()
                self.go_on.wait(20)
        return Response({"id": group.pk, "at": db_now()}, status=status.HTTP_201_CREATED)


urlpatterns = [path("api/v1/groups/", Groups.as_view()), path("api/v1/others/", Groups.as_view())]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def account(name):
    user = User.objects.create(username=name)
    return f"Token {AuthToken.objects.create(user)[1]}"


@pytest.fixture
def caller(db):
    return account("caller")


def send(caller, body=b'{"name": "a"}', key="k-1", where="groups"):
    headers = {"Authorization": caller} | ({} if key is None else {"Idempotency-Key": key})
    web = Client(raise_request_exception=False)
    return web.post(f"/api/v1/{where}/", body, content_type="application/json", headers=headers)


def test_the_same_request_gets_the_first_answer_and_has_one_effect(caller):
    first, second = send(caller), send(caller)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_an_answer_without_a_body_is_replayed_too(caller):
    body = b'{"name": "a", "then": "empty"}'
    assert send(caller, body).status_code == 204
    second = send(caller, body)
    assert (second.status_code, second.content) == (204, b"")
    assert Group.objects.count() == 1


def test_without_a_key_everything_runs(caller):
    send(caller, b'{"name": "a"}', key=None)
    send(caller, b'{"name": "b"}', key=None)
    assert Group.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    ("body", "where"),
    [(b'{"name": "b"}', "groups"), (b'{"name":"a"}', "groups"), (b"", "groups"), (b'{"name": "a"}', "others")],
    ids=["another body", "the same body with other bytes", "no body", "another address"],
)
def test_a_key_that_belongs_to_another_request_is_a_422(caller, body, where):
    send(caller)
    response = send(caller, body, where=where)
    assert (response.status_code, response.json()["code"]) == (422, "key_reused")
    assert Group.objects.count() == 1


def test_two_callers_may_choose_the_same_key(caller):
    send(caller, b'{"name": "a"}')
    assert send(account("another"), b'{"name": "b"}').status_code == 201
    assert Group.objects.count() == 2


@pytest.mark.parametrize("then", ["refuse", "break"])
def test_a_failure_is_not_kept_and_leaves_nothing(caller, then):
    assert send(caller, b'{"name": "a", "then": "%s"}' % then.encode()).status_code in {409, 500}
    assert not Group.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert send(caller).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "a\tb", "a\0"], ids=ascii)
def test_a_malformed_key_is_a_400(caller, key):
    response = send(caller, key=key)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_idempotency_key")
    assert not Group.objects.exists()


def test_a_key_of_255_visible_characters_is_taken(caller):
    assert send(caller, key="~" * 255).status_code == 201


def test_a_body_that_cannot_be_read_is_a_400_and_uses_up_no_key(caller):
    assert send(caller, b'{"name": "a", "name": "b"}').json()["code"] == "duplicate_key"
    assert send(caller).status_code == 201


def test_an_old_answer_no_longer_counts(caller):
    send(caller, b'{"name": "a"}')
    IdempotencyKey.objects.update(created_at=db_now() - KEPT - timedelta(seconds=1))
    assert send(caller, b'{"name": "b"}').status_code == 201
    assert IdempotencyKey.objects.count() == 1


def test_purge_deletes_what_is_older_than_a_week_and_nothing_else(caller):
    send(caller, b'{"name": "a"}', key="old")
    send(caller, b'{"name": "b"}', key="young")
    IdempotencyKey.objects.filter(key="old").update(created_at=db_now() - KEPT - timedelta(seconds=1))
    IdempotencyKey.objects.filter(key="young").update(created_at=db_now() - KEPT + timedelta(minutes=1))
    assert purge() == 1
    assert IdempotencyKey.objects.get().key == "young"


@pytest.mark.django_db(transaction=True)
def test_a_retry_while_the_first_is_running_is_told_to_wait():
    caller = account("hasty")
    body = b'{"name": "slow", "then": "wait"}'
    Groups.entered.clear()
    Groups.go_on.clear()
    answers = []

    def first():
        try:
            answers.append(send(caller, body))
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert Groups.entered.wait(20)
        early = send(caller, body)
        other = send(caller, b'{"name": "other"}', key="k-2")
    finally:
        Groups.go_on.set()
        thread.join(20)
    assert (early.status_code, early.json()["code"], early["Retry-After"]) == (409, "in_flight", "1")
    assert other.status_code == 201
    assert answers[0].status_code == 201
    late = send(caller, body)
    assert late.json() == answers[0].json()
    assert Group.objects.filter(name="slow").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_has_an_effect():
    caller = account("crowd")
    start = threading.Barrier(8)
    answers = []

    def one():
        try:
            start.wait(20)
            answers.append(send(caller).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 8
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert Group.objects.count() == 1
