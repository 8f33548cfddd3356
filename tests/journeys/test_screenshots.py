"""Which pages the pictures of the back office tell apart."""

import pytest

from tests.journeys.screenshots import kind_of

KEY = "01a1fd93-291b-77b3-b027-908c302cb0ee"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:8000/admin/", "home"),
        (f"http://127.0.0.1:8000/admin/queues/entry/{KEY}/change/", "queues-entry-change"),
        ("/admin/queues/skill/7/change/?_changelist_filters=x", "queues-skill-change"),
        (f"/admin/feedback/review/work/{KEY}/", "feedback-review-work"),
        ("/admin/logout/", None),
        ("/api/docs/", None),
        ("https://elsewhere.example/", None),
    ],
)
def test_a_kind_is_an_address_without_its_keys(url, kind):
    assert kind_of(url) == kind
