"""The strict fields: nothing is coerced, everything unknown is refused, and OpenAPI says the same."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.generics import CreateAPIView
from rest_framework.permissions import AllowAny

from cases import currencies
from cases.vocabulary import Risk
from cases.wire import fields
from cases.wire.openapi import StrictAutoSchema


class Inner(fields.StrictSerializer):
    score = fields.StrictUnitField(required=False)


class Outer(fields.StrictSerializer):
    id = serializers.CharField(read_only=True)
    text = fields.StrictCharField(max_length=5)
    inner = Inner(many=True, required=False)
    risk = fields.EnumField(Risk, required=False)
    amount = fields.MoneyField(required=False, allow_null=True)
    currency = fields.CurrencyField(required=False)
    at = fields.AwareDateTimeField(required=False)
    tags = fields.SlugListField(required=False)
    metadata = fields.JSONObjectField(max_bytes=100, required=False)
    count = fields.StrictIntegerField(min_value=1, max_value=5, required=False)
    sure = fields.StrictBooleanField(required=False)
    url = fields.StrictURLField(required=False)

    def validate(self, attrs):
        fields.check_money(attrs.get("amount"), attrs.get("currency"))
        return attrs


def codes(field, value):
    with pytest.raises(serializers.ValidationError) as caught:
        field.run_validation(value)
    return caught.value.get_codes()


NOT = object()
TABLE = [
    (fields.StrictCharField(max_length=5), " a ", " a "),
    (fields.StrictCharField(max_length=5), "", NOT),
    (fields.StrictCharField(max_length=5), " \n\t", NOT),
    (fields.StrictCharField(max_length=5, allow_blank=True), "", ""),
    (fields.StrictCharField(max_length=5), "abcdef", NOT),
    (fields.StrictCharField(max_length=5), "a\0b", NOT),
    (fields.StrictCharField(max_length=5), "\ud800", NOT),
    (fields.StrictCharField(max_length=5), 5, NOT),
    (fields.StrictCharField(max_length=5), True, NOT),
    (fields.StrictCharField(max_length=5), None, NOT),
    (fields.StrictCharField(max_length=5), ["a"], NOT),
    (fields.StrictIntegerField(), 3, 3),
    (fields.StrictIntegerField(), 2**53 - 1, 2**53 - 1),
    (fields.StrictIntegerField(), 2**53, NOT),
    (fields.StrictIntegerField(), 3.0, NOT),
    (fields.StrictIntegerField(), "3", NOT),
    (fields.StrictIntegerField(), True, NOT),
    (fields.StrictFloatField(), 3, 3.0),
    (fields.StrictFloatField(), -0.5, -0.5),
    (fields.StrictFloatField(), "0.5", NOT),
    (fields.StrictFloatField(), False, NOT),
    (fields.StrictFloatField(), float("nan"), NOT),
    (fields.StrictFloatField(), float("inf"), NOT),
    (fields.StrictFloatField(), 10**400, NOT),
    (fields.StrictUnitField(), 0, 0.0),
    (fields.StrictUnitField(), 1, 1.0),
    (fields.StrictUnitField(), 0.25, 0.25),
    (fields.StrictUnitField(), 1.0000001, NOT),
    (fields.StrictUnitField(), -0.0000001, NOT),
    (fields.StrictUnitField(), True, NOT),
    (fields.StrictUnitField(), "0.5", NOT),
    (fields.StrictBooleanField(), True, True),
    (fields.StrictBooleanField(), False, False),
    (fields.StrictBooleanField(), "true", NOT),
    (fields.StrictBooleanField(), 1, NOT),
    (fields.StrictBooleanField(), 0, NOT),
    (fields.StrictBooleanField(), [], NOT),
    (fields.EnumField(Risk), "high", Risk.HIGH),
    (fields.EnumField(Risk), "HIGH", NOT),
    (fields.EnumField(Risk), "", NOT),
    (fields.EnumField(Risk), 1, NOT),
    (fields.EnumField(Risk), ["high"], NOT),
    (fields.EnumField(["deny", "grant"]), "deny", "deny"),
    (fields.EnumField(["deny", "grant"]), "allow", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00Z", datetime(2027, 5, 9, 18, tzinfo=UTC)),
    (fields.AwareDateTimeField(), "2027-05-09t18:00:00z", datetime(2027, 5, 9, 18, tzinfo=UTC)),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00.5+05:30", datetime(2027, 5, 9, 12, 30, 0, 500_000, UTC)),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00.123456789Z", datetime(2027, 5, 9, 18, 0, 0, 123_456, UTC)),
    (fields.AwareDateTimeField(), "1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    (fields.AwareDateTimeField(), "1970-01-01T00:00:00+00:01", NOT),
    (fields.AwareDateTimeField(), "1969-12-31T23:59:59Z", NOT),
    (fields.AwareDateTimeField(), "9999-12-31T23:59:59-00:01", NOT),
    (fields.AwareDateTimeField(), "0001-01-01T00:00:00+14:00", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00", NOT),
    (fields.AwareDateTimeField(), "2027-05-09", NOT),
    (fields.AwareDateTimeField(), "2027-05-09 18:00:00Z", NOT),
    (fields.AwareDateTimeField(), "2027-02-29T00:00:00Z", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:60Z", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00+25:00", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00Z", NOT),
    (fields.AwareDateTimeField(), "٢٠٢٧-05-09T18:00:00Z", NOT),
    (fields.AwareDateTimeField(), "2027-05-09T18:00:00Z\n", NOT),
    (fields.AwareDateTimeField(), 1_800_000_000, NOT),
    (fields.MoneyField(), "4200.00", Decimal("4200.00")),
    (fields.MoneyField(), "0", Decimal("0")),
    (fields.MoneyField(), "0.005", Decimal("0.005")),
    (fields.MoneyField(), "999999999999999", Decimal("999999999999999")),
    (fields.MoneyField(), "1000000000000000", NOT),
    (fields.MoneyField(), "0.12345", NOT),
    (fields.MoneyField(), 4200.0, NOT),
    (fields.MoneyField(), 4200, NOT),
    (fields.MoneyField(), "-1.00", NOT),
    (fields.MoneyField(), "+1.00", NOT),
    (fields.MoneyField(), "1e3", NOT),
    (fields.MoneyField(), "01.00", NOT),
    (fields.MoneyField(), "1.", NOT),
    (fields.MoneyField(), ".5", NOT),
    (fields.MoneyField(), "1,000.00", NOT),
    (fields.MoneyField(), " 1.00", NOT),
    (fields.MoneyField(), "1.00\n", NOT),
    (fields.MoneyField(), "1_000", NOT),
    (fields.MoneyField(), "٤٢", NOT),
    (fields.MoneyField(), "NaN", NOT),
    (fields.CurrencyField(), "USD", "USD"),
    (fields.CurrencyField(), "usd", NOT),
    (fields.CurrencyField(), "XXX", NOT),
    (fields.CurrencyField(), ["USD"], NOT),
    (fields.SlugListField(), [], []),
    (fields.SlugListField(), ["b", "a"], ["b", "a"]),
    (fields.SlugListField(), ["a", "a"], NOT),
    (fields.SlugListField(), ["a", ""], NOT),
    (fields.SlugListField(), ["a" * 51], NOT),
    (fields.SlugListField(), [str(n) for n in range(21)], NOT),
    (fields.SlugListField(), "a", NOT),
    (fields.SlugListField(), {"a": 1}, NOT),
    (fields.SlugListField(), [1], NOT),
    (fields.JSONObjectField(max_bytes=20), {"a": [1, None]}, {"a": [1, None]}),
    (fields.JSONObjectField(max_bytes=20), {}, {}),
    (fields.JSONObjectField(max_bytes=20), {"a": "x" * 12}, {"a": "x" * 12}),
    (fields.JSONObjectField(max_bytes=20), {"a": "x" * 13}, NOT),
    (fields.JSONObjectField(max_bytes=20), {"a": "é" * 7}, NOT),
    (fields.JSONObjectField(max_bytes=20), [], NOT),
    (fields.JSONObjectField(max_bytes=20), "{}", NOT),
    (fields.StrictURLField(), "https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
    (fields.StrictURLField(), "http://wiki:8080/refunds", "http://wiki:8080/refunds"),
    (fields.StrictURLField(), "https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
    (fields.StrictURLField(), "javascript:alert(1)", NOT),
    (fields.StrictURLField(), "ftp://example.org/", NOT),
    (fields.StrictURLField(), "//example.org/", NOT),
    (fields.StrictURLField(), "https:///x", NOT),
    (fields.StrictURLField(), "https://bank.example@evil.example/", NOT),
    (fields.StrictURLField(), "https://example.org/a b", NOT),
    (fields.StrictURLField(), "https://example.org\\@evil.example", NOT),
    (fields.StrictURLField(), "https://example.org:port/", NOT),
    (fields.StrictURLField(), "https://[::1", NOT),
    (fields.StrictURLField(), "https://example.org/" + "a" * 1981, NOT),
    (fields.StrictURLField(), " https://example.org/", NOT),
]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    TABLE,
    ids=[
        f"{type(field).__name__} {'refuses' if out is NOT else 'takes'} {ascii(value)[:40]}"
        for field, value, out in TABLE
    ],
)
def test_a_field_takes_its_own_type_and_nothing_like_it(field, value, expected):
    if expected is NOT:
        assert codes(field, value)
    else:
        taken = field.run_validation(value)
        assert taken == expected
        assert type(taken) is type(expected)


def test_an_instant_without_its_offset_has_a_code_of_its_own():
    assert codes(fields.AwareDateTimeField(), "2027-05-09T18:00:00") == ["naive"]


def test_an_instant_goes_out_in_utc():
    field = fields.AwareDateTimeField()
    assert field.to_representation(field.run_validation("2027-05-09T20:00:00+02:00")) == "2027-05-09T18:00:00Z"


def test_money_goes_out_as_it_came():
    field = fields.MoneyField()
    assert field.to_representation(field.run_validation("4200.00")) == "4200.00"
    assert field.to_representation(Decimal("1E+3")) == "1000"


def test_an_unknown_choice_is_told_the_known_ones_and_not_what_it_was():
    with pytest.raises(serializers.ValidationError) as caught:
        fields.EnumField(Risk).run_validation("secret")
    assert str(caught.value.detail[0]) == "Send one of: low, medium, high, critical."


@pytest.mark.parametrize(
    ("amount", "currency", "place"),
    [
        ("4200.00", "USD", None),
        ("4200.5", "USD", None),
        ("4200", "JPY", None),
        ("1.234", "KWD", None),
        ("1.2345", "CLF", None),
        (None, None, None),
        ("4200.001", "USD", "amount"),
        ("4200.0", "JPY", "amount"),
        ("1.2345", "KWD", "amount"),
        ("1.00", None, "currency"),
        (None, "USD", "amount"),
    ],
)
def test_an_amount_has_a_currency_and_no_digit_that_the_currency_lacks(amount, currency, place):
    money = None if amount is None else Decimal(amount)
    if place is None:
        fields.check_money(money, currency)
    else:
        with pytest.raises(serializers.ValidationError) as caught:
            fields.check_money(money, currency)
        assert list(caught.value.detail) == [place]


def test_the_currency_table_is_sound():
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in currencies.CODES)
    assert len(currencies.CODES) == 165
    assert {code: currencies.minor_units(code) for code in ("USD", "JPY", "KWD", "CLF")} == {
        "USD": 2,
        "JPY": 0,
        "KWD": 3,
        "CLF": 4,
    }
    assert set(currencies._EXCEPTIONS) <= currencies.CODES
    with pytest.raises(KeyError):
        currencies.minor_units("XAU")


def errors_of(data):
    serializer = Outer(data=data)
    assert not serializer.is_valid()
    return serializer.errors


def test_unknown_and_read_only_fields_are_refused_beside_the_others():
    errors = errors_of({"txet": "a", "id": "x", "count": 0})
    assert {key: [error.code for error in value] for key, value in errors.items()} == {
        "text": ["required"],
        "count": ["min_value"],
        "txet": ["unknown_field"],
        "id": ["unknown_field"],
    }


def test_unknown_fields_are_refused_inside_a_list_too():
    errors = errors_of({"text": "a", "inner": [{}, {"skore": 1}]})
    assert [error.code for error in errors["inner"][1]["skore"]] == ["unknown_field"]


def test_a_caller_who_chooses_the_case_id_is_told_about_external_id():
    (error,) = errors_of({"text": "a", "case_id": "x"})["case_id"]
    assert error.code == "unknown_field"
    assert "external_id" in error


def test_a_flood_of_unknown_fields_is_not_echoed():
    errors = errors_of({"text": "a", **{f"x{n}": 1 for n in range(1000)}, "y" * 5000: 1})
    assert len(errors) == 21
    assert max(map(len, errors)) <= 100


@pytest.mark.parametrize("data", [[], "text", 5, True, None], ids=repr)
def test_something_that_is_no_object_is_refused(data):
    assert errors_of(data)


class CreateView(CreateAPIView):
    serializer_class = Outer
    permission_classes = (AllowAny,)
    authentication_classes = ()
    schema = StrictAutoSchema()


def test_openapi_says_what_the_fields_take():
    document = SchemaGenerator(patterns=[path("api/v1/outers/", CreateView.as_view())]).get_schema(public=True)
    schemas = document["components"]["schemas"]
    taken = schemas["Outer"]["properties"]
    not_blank = {"minLength": 1, "pattern": r"\S"}
    assert taken["text"] == {"type": "string", "maxLength": 5} | not_blank
    assert taken["amount"]["type"] == "string"
    assert taken["amount"]["pattern"].startswith("^(?:0|")
    assert taken["amount"]["nullable"] is True
    assert taken["at"] == {"type": "string", "format": "date-time"}
    assert (taken["count"]["minimum"], taken["count"]["maximum"]) == (1, 5)
    assert taken["sure"] == {"type": "boolean"}
    assert taken["metadata"] == {"type": "object", "additionalProperties": {}}
    tag = {"type": "string", "maxLength": 50} | not_blank
    assert taken["tags"] == {"type": "array", "items": tag, "maxItems": 20, "uniqueItems": True}
    assert taken["url"]["format"] == "uri"
    score = schemas["Inner"]["properties"]["score"]
    assert (score["type"], score["minimum"], score["maximum"]) == ("number", 0.0, 1.0)
    answers = document["paths"]["/api/v1/outers/"]["post"]["responses"]
    assert {"201", "400", "409", "413", "415"} <= set(answers)
    assert "422" not in answers, "it takes no Idempotency-Key"
    assert answers["400"] == {"$ref": "#/components/responses/Invalid"}
    assert list(document["components"]["responses"]["Invalid"]["content"]) == ["application/problem+json"]
    assert schemas["Outer"]["additionalProperties"] is False


def test_each_serializer_binds_fields_of_its_own():
    one, two = Outer(data={}), Outer(data={})
    for name, field in one.fields.items():
        assert field is not two.fields[name]
        assert (field.parent, two.fields[name].parent) == (one, two)
        declared = Outer._declared_fields[name]
        assert (declared.parent, declared.field_name) == (None, None)
        assert repr(field) == repr(declared)
    assert one.fields["inner"].child is not two.fields["inner"].child
