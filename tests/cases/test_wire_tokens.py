"""Tokens: one query, no write, and never a 500."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import path
from knox.models import AuthToken
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.models import User


class WhoAmI(APIView):
    throttle_classes = ()  # The token's own cost; counting its requests looks up their limit once a minute.

    def get(self, request):
        return Response({"username": request.user.username})


urlpatterns = [path("api/v1/me/", WhoAmI.as_view())]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def user(db):
    return User.objects.create(username="iris")


@pytest.fixture
def token(user):
    return AuthToken.objects.create(user)[1]


def ask(header=None):
    web = Client(raise_request_exception=False)
    return web.get("/api/v1/me/", HTTP_AUTHORIZATION=header) if header is not None else web.get("/api/v1/me/")


def test_a_token_names_its_account_with_one_query(token, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = ask(f"Token {token}")
    assert response.json() == {"username": "iris"}


def test_the_scheme_may_be_written_in_any_case(token):
    assert ask(f"token {token}").status_code == 200


def test_without_a_token_nobody_is_signed_in(db):
    response = ask()
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token ",
        "Token a b",
        "Token \xe9" + "x" * 30,
        "Token \0" + "x" * 30,
        "Basic YTpi",
        "Token " + "x" * 9000,
        "Bearer x",
    ],
    ids=["no token", "a blank", "two", "not ASCII", "NUL", "another scheme", "endless", "bearer"],
)
def test_a_malformed_header_is_a_401(db, header, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = ask(header)
    assert response.status_code == 401
    if header.strip():
        assert response.json()["code"] == "authentication_failed"


def test_unknown_expired_and_closed_get_the_same_answer(user, token):
    def answer(token):
        response = ask(f"Token {token}")
        body = response.json()
        body.pop("request_id")
        return response.status_code, body

    unknown = answer("cs_" + "0" * 64)
    expired = answer(AuthToken.objects.create(user, expiry=timedelta(seconds=-1))[1])
    User.objects.update(is_active=False)
    assert unknown == expired == answer(token)
    assert unknown[0] == 401


def test_an_expired_token_is_not_deleted_while_somebody_waits(user):
    _, token = AuthToken.objects.create(user, expiry=timedelta(seconds=-1))
    ask(f"Token {token}")
    assert AuthToken.objects.count() == 1
