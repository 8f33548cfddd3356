"""What a tenant may write to its customers, and when it is not sent: pure rules by examples."""

from datetime import UTC, datetime, time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from cases.customer_texts import Way, after_quiet_hours, dialled, filled, one_line, placeholders, zone_of
from cases.models import CustomerTemplate

NIGHT = (time(21), time(8))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2027-05-10T12:00", "UTC", "2027-05-10T12:00"),
        ("2027-05-10T20:59", "UTC", "2027-05-10T20:59"),
        ("2027-05-10T21:00", "UTC", "2027-05-11T08:00"),
        ("2027-05-10T03:00", "UTC", "2027-05-10T08:00"),
        ("2027-05-10T08:00", "UTC", "2027-05-10T08:00"),
        ("2027-05-10T19:30", "Europe/Berlin", "2027-05-11T06:00"),  # 21:30 there.
        ("2027-05-10T23:00", "America/New_York", "2027-05-10T23:00"),  # 19:00 there.
        ("2027-03-27T22:00", "Europe/Berlin", "2027-03-28T06:00"),  # The night of 23 hours.
        ("2027-10-30T22:00", "Europe/Berlin", "2027-10-31T07:00"),  # And that of 25.
    ],
)
def test_the_night_ends_in_the_morning_of_the_customers_own_clock(now, zone, expected):
    assert after_quiet_hours(at(now), *NIGHT, zone_of(zone, "UTC")) == at(expected)


def test_quiet_hours_within_a_day_and_none_at_all():
    noon = at("2027-05-10T12:30")
    assert after_quiet_hours(noon, time(12), time(13), zone_of(None, "UTC")) == at("2027-05-10T13:00")
    assert after_quiet_hours(noon, None, None, zone_of(None, "UTC")) == noon


@pytest.mark.parametrize("wish", ["Mars/Olympus", "", None, "../../etc/passwd", "\x00"])
def test_a_zone_that_does_not_exist_is_the_tenants(wish):
    assert str(zone_of(wish, "Europe/Berlin")) == "Europe/Berlin"


@given(st.text(), st.text())
def test_what_is_filled_in_is_never_looked_at_again(answer, rest):
    text = f"{{answer}}|{rest.replace('{', '').replace('}', '')}"
    assert filled(text, {"answer": answer + "{company}", "company": "X"}) == answer + "{company}" + text[8:]


@pytest.mark.parametrize("text", ["{0.__class__}", "{answer!r}", "{answer:>99999999}", "{{answer}}", "%(answer)s", "{"])
def test_no_format_of_python_is_understood(text):
    assert "secret" not in filled(text, {"answer": "secret"}).replace("{secret}", "")


def test_a_subject_is_one_line_without_hidden_characters():
    assert one_line("Hello\r\nBcc: all@example.com\u202e") == "Hello  Bcc: all@example.com"


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("+49 (170) 123-45.67", "+491701234567"),
        ("0170/1234567", "01701234567"),
        ("+1555?to=evil", None),
        ("12", None),
        ("+49170x", None),
        ("٣٤٥٦٧٨٩", None),
    ],
)
def test_a_number_is_digits_or_nothing(phone, number):
    assert dialled(phone) == number


def errors_of(**fields) -> set[str]:
    given = {"occasion": "decided", "way": "email", "subject": "{company}", "text": "{answer} {opt_out}"} | fields
    try:
        CustomerTemplate(**given).clean()
    except ValidationError as error:
        return set(error.message_dict)
    return set()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, set()),
        ({"text": "{customer} {answer} {opt_out}"}, {"text"}),
        ({"text": "{ answer } {opt_out}"}, {"text"}),
        ({"text": "{promise} {opt_out}"}, {"text"}),  # There is no promise any more when all is decided.
        ({"text": "{answer}"}, {"text"}),
        ({"text_without_answer": "Sorry, {answer} {opt_out}"}, {"text_without_answer"}),
        ({"subject": "{answer}"}, {"subject"}),
        ({"subject": ""}, {"subject"}),
        ({"way": "sms", "subject": "", "text": "{company}: decided."}, set()),
        ({"way": "sms", "subject": "", "text": "{answer}"}, {"text"}),
        ({"way": "sms", "subject": "", "text": "x" * 481}, {"text"}),
        ({"occasion": "delayed", "text": "{promise} {opt_out}"}, set()),
        ({"occasion": "delayed", "text": "{promise} {opt_out}", "is_urgent": True}, {"is_urgent"}),
        (
            {"occasion": "received", "text": "{promise} {opt_out}", "text_without_answer": "{opt_out}"},
            {"text_without_answer"},
        ),
        ({"text": "Braces alone are fine: } { and {answer} {opt_out}"}, set()),
    ],
)
def test_a_wrong_placeholder_is_seen_when_the_text_is_saved(fields, wrong):
    assert errors_of(**fields) == wrong


def test_every_placeholder_says_what_it_stands_for():
    for occasion in ("received", "decided", "delayed"):
        assert set(placeholders(occasion, Way.SMS)) < set(placeholders(occasion, Way.EMAIL))
