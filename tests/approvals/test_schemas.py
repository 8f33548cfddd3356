"""JSON Schema of parameters: what is allowed to stand there, what it finds, and how long it can take."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from approvals.patterns import MAX_TEXT, why_refused
from approvals.schemas import MAX_ERRORS, SchemaInvalid, check_params, check_schema, inlined
from config.demo.world import PLANS

REFUND = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[A-Z]-[0-9]{1,10}$"},
        "refund": {"type": "string", "format": "decimal"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}},
        "reason": {"enum": ["damaged", "late"]},
    },
    "required": ["order_id"],
    "additionalProperties": False,
}


def of(**properties: object) -> dict:
    return {"type": "object", "properties": properties}


# --- what may stand there ---------------------------------------------------------------------------------------------


def test_the_demos_own_schemas_and_one_with_local_references_are_fine():
    check_schema(REFUND)
    for plan in PLANS:
        for action in plan.actions:
            check_schema({"type": "object"} | dict(action.schema))
    who = {"anyOf": [{"$ref": "#/$defs/Who"}, {"type": "null"}]}
    pydantic = of(who=who) | {"$defs": {"Who": of(n={"type": "integer"})}}
    check_schema(pydantic)
    assert "$ref" not in json.dumps(inlined(pydantic))
    assert check_params(pydantic, {"who": {"n": "1"}})
    assert not check_params(pydantic, {"who": {"n": 1}})


CIRCLE = {"$defs": {"A": of(again={"$ref": "#/$defs/A"})}}
LAUGHS = {f"L{n}": of(a={"$ref": f"#/$defs/L{n + 1}"}, b={"$ref": f"#/$defs/L{n + 1}"}) for n in range(12)} | {
    "L12": {}
}


def nested(levels: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(levels):
        schema = of(inner=schema)
    return schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], '"type": "object"'),
        ({"type": "string"}, '"type": "object"'),
        (of(a={"type": "strng"}), "no JSON Schema"),
        (of(a={"minLength": -1}), "no JSON Schema"),
        (of(a="string"), "no schema"),
        (of(a={"$ref": "https://evil.example/schema.json"}), "leads elsewhere"),
        (of(a={"$ref": "file:///etc/passwd"}), "leads elsewhere"),
        (of(a={"$ref": "#/$defs/Nobody"}), "leads elsewhere"),
        (of(a={"$dynamicRef": "#meta"}), "not supported"),
        (of(a={"patternProperties": {"^(a+)+$": {}}}), "not supported"),
        (of(a={"unevaluatedProperties": False}), "not supported"),
        (of(a={"$ref": "#/$defs/A"}) | CIRCLE, "refers to itself"),
        (of(a={"$ref": "#/$defs/L0"}) | {"$defs": LAUGHS}, "more than 500 parts"),
        (nested(40), "nested too deep"),
        (of(a={"description": "x" * 40_000}), "longer than"),
        (of(**{f"f{n}": {"type": "string"} for n in range(600)}), "more than 500 parts"),
        (of(a={"type": "string", "pattern": "(a+)+$"}), "too many ways"),
        (of(a={"anyOf": [{"not": {"items": {"pattern": "(x*)*y"}}}]}), "too many ways"),
    ],
)
def test_a_schema_that_is_wrong_or_dear_is_refused_with_its_reason(schema, words):
    began = time.monotonic()
    with pytest.raises(SchemaInvalid) as caught:
        check_schema(schema)
    assert words in caught.value.message
    assert time.monotonic() - began < 1


# --- patterns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["^[A-Z]{2}-\\d{4,10}$", "^o_\\w+$", "^(?:cust|acct)_[0-9a-f]{8,32}$", "^\\S+@\\S+$", "^[a-z]+(-[a-z]+)?$"],
)
def test_the_patterns_that_people_write_are_fine(pattern):
    assert why_refused(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(.*a){12}",
        "^(\\w+\\s?)*$",
        "(a*)*",
        "a*a*a*b",
        "(x+x+)+y",
        "((ab)*)*c",
        "(?=(a+))a*b",
        "(a)\\1",
        "(",
        "[z-a]",
        "a" * 300,
        "(?:a?){40}a{40}",
        "(?m)^a*a*b",
    ],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern):
    assert why_refused(pattern)


@given(st.text("ab(|)*+?{2,}.^$", max_size=14), st.sampled_from(["a", "ab", "b"]))
@hypothesis_settings(max_examples=150, deadline=2000, derandomize=True)
def test_whatever_pattern_is_let_in_runs_in_moderate_time(pattern, text):
    if why_refused(pattern) == "":
        check_params(of(a={"type": "string", "pattern": pattern}), {"a": (text * MAX_TEXT)[: MAX_TEXT - 1] + "!"})


def test_a_pattern_is_never_tried_on_a_long_text():
    (error,) = check_params(of(a={"pattern": "^a+$"}), {"a": "a" * (MAX_TEXT + 1)})
    assert error["code"] == "pattern"


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "pointer", "words"),
    [
        ({}, "/order_id", "required"),
        ([], "", "object"),
        ({"order_id": 7}, "/order_id", "Send a text."),
        ({"order_id": "zzz-secret"}, "/order_id", "not of the form"),
        ({"order_id": "A-1", "refund": "4e2"}, "/refund", "decimal"),
        ({"order_id": "A-1", "refund": 4.2}, "/refund", "a text"),
        ({"order_id": "A-1", "reason": "zzz-secret"}, "/reason", '"damaged", "late"'),
        ({"order_id": "A-1", "lines": [{"n": 1}, {"n": 0}]}, "/lines/1/n", "at least 1"),
        ({"order_id": "A-1", "lines": [{"n": True}]}, "/lines/0/n", "whole number"),
        ({"order_id": "A-1", "zzz-secret": 1}, "/zzz-secret", "not known here"),
        ({"order_id": "A-1", "a/b": 1}, "/a~1b", "not known here"),
    ],
)
def test_what_is_wrong_is_said_at_its_place_and_without_repeating_it(params, pointer, words):
    error = check_params(REFUND, params)[0]
    assert error["pointer"] == pointer and words in error["message"]
    assert "zzz-secret" not in error["message"]


def test_good_parameters_have_no_errors():
    assert (
        check_params(REFUND, {"order_id": "A-118204", "refund": "42.00", "lines": [{"n": 2}], "reason": "late"}) == []
    )


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("date", "2027-05-09", "2027-02-30"),
        ("date-time", "2027-05-09T18:00:00Z", "2027-05-09T18:00:00"),
        ("uuid", "0199aa00-0000-7000-8000-000000000000", "0199aa"),
        ("email", "a@b.example", "a@b"),
        ("decimal", "-1.50", "1,50"),
    ],
)
def test_formats_are_checked_and_unknown_ones_are_not(format, good, bad):
    schema = of(x={"type": "string", "format": format})
    assert check_params(schema, {"x": good}) == []
    assert check_params(schema, {"x": bad})[0]["code"] == "format"
    assert check_params(of(x={"format": "hostname"}), {"x": "?"}) == []


def test_many_errors_are_cut_and_huge_parameters_are_not_looked_through():
    many = check_params(of(a={"type": "array", "items": {"type": "string"}}), {"a": list(range(500))})
    assert len(many) == MAX_ERRORS
    assert check_params({"type": "object"}, {"a": "x" * 70_000})[0]["code"] == "too_large"
    assert check_params({"type": "object"}, {"a": [1] * 2_000})[0]["code"] == "too_many"
    assert check_params({"type": "object"}, {"a": float("nan")})[0]["code"] == "json"


def test_the_dearest_schema_on_the_dearest_parameters_takes_moderate_time():
    schema = of(a={"type": "array", "uniqueItems": True, "items": {"allOf": [{"not": {"type": "null"}}] * 240}})
    check_schema(schema)
    began = time.monotonic()
    check_params(schema, {"a": [{"n": number} for number in range(490)]})
    assert time.monotonic() - began < 8
