"""Cursor pages: each row once, and no cursor or limit but our own."""

from base64 import b64encode

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from cases.models import User
from cases.wire.pages import CursorPages
from cases.wire.parser import WireError

pytestmark = pytest.mark.django_db


class Users(CursorPages):
    pass


def fetch(address="/"):
    pages = Users()
    request = Request(APIRequestFactory().get(address))
    rows = pages.paginate_queryset(User.objects.filter(username__startswith="p-"), request)
    return pages.get_paginated_response([row.username for row in rows]).data


@pytest.fixture
def people(db):
    return [User.objects.create(username=f"p-{n:02}").username for n in range(7)]


def test_each_row_comes_once_newest_first_and_back_again(people):
    seen, at = [], "/?limit=3"
    pages = []
    while at:
        page = fetch(at)
        pages.append(page["results"])
        seen += page["results"]
        last, at = page, page["next"]
    assert seen == people[::-1]
    assert [len(rows) for rows in pages] == [3, 3, 1]
    assert fetch(last["previous"])["results"] == pages[1]


def test_rows_that_arrive_between_pages_move_nothing(people):
    first = fetch("/?limit=3")
    User.objects.create(username="p-new")
    assert fetch(first["next"])["results"] == people[3:0:-1]


def test_a_page_is_results_next_and_previous(people):
    assert fetch() == {"results": people[::-1], "next": None, "previous": None}


@pytest.mark.parametrize("limit", ["1", "200"])
def test_a_limit_within_bounds_is_kept(people, limit):
    assert len(fetch(f"/?limit={limit}")["results"]) == min(int(limit), 7)


@pytest.mark.parametrize(
    "limit", ["", "0", "-1", "201", "1.5", "abc", "+5", "05", "٣", "1&limit=2", "1%0A", "9" * 5000]
)
def test_any_other_limit_is_a_400(people, limit):
    with pytest.raises(WireError) as caught:
        fetch(f"/?limit={limit}")
    assert (caught.value.status, caught.value.code) == (400, "invalid_limit")


def encoded(text: bytes) -> str:
    return b64encode(text).decode().replace("+", "%2B").replace("=", "%3D")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "é",
        encoded(b""),
        encoded(b"p=17"),
        encoded(b"p="),
        encoded(b"p=01990000-0000-7000-8000-00000000000g"),
        encoded(b"p=01990000-0000-7000-8000-000000000000&p=1"),
        encoded(b"p=01990000-0000-7000-8000-000000000000&o=999999"),
        encoded(b"o=10"),
        encoded(b"r=1"),
        encoded(b"\xff\xfe"),
        encoded(b"p=%00"),
        "a&cursor=b",
    ],
)
def test_a_cursor_that_is_not_ours_is_a_400(people, cursor):
    with pytest.raises(WireError) as caught:
        fetch(f"/?cursor={cursor}")
    assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")
