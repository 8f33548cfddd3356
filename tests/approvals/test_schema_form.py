"""The form drawn from a schema: fields for what people change, and nothing lost of what they do not."""

import json
from typing import Any

import pytest

from approvals.schema_form import REST, ParamsForm, schema_form

SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "title": "Order", "description": "As on the <b>invoice</b>", "maxLength": 20},
        "refund": {"type": "string", "format": "decimal"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 9},
        "weight": {"type": "number"},
        "restock": {"type": "boolean"},
        "reason": {"type": "string", "enum": ["damaged", "late"]},
        "on": {"type": "string", "format": "date"},
        "note": {"type": ["string", "null"], "maxLength": 500},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
            "required": ["zip"],
        },
        "lines": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["order_id", "quantity"],
}
PARAMS = {
    "order_id": "A-1",
    "refund": "42.00",
    "quantity": 2,
    "weight": 5.0,
    "restock": False,
    "reason": "late",
    "on": "2027-05-09",
    "note": None,
    "address": {"street": "Main\r\nSt", "zip": "12345", "unit": 7},
    "lines": [1, 2],
    "extra": {"deep": [True]},
}


def as_posted(form: ParamsForm, **changes: Any) -> dict[str, str]:
    """What a browser sends back for the form as it was drawn, with ``changes`` typed in."""
    data = {}
    for bound in form:
        value = changes.get(bound.name, bound.value())
        text = "" if value is None else str(value)
        data[bound.html_name] = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return data


def edited(params: dict, schema: dict = SCHEMA, **changes: Any) -> ParamsForm:
    form = schema_form(schema, params, as_posted(schema_form(schema, params), **changes))
    form.is_valid()
    return form


def test_a_form_left_alone_gives_back_every_value_as_it_was():
    form = edited(PARAMS)
    assert form.errors == {}
    assert form.params == PARAMS
    assert json.dumps(form.params, sort_keys=True) == json.dumps(PARAMS, sort_keys=True)  # 5.0 and not 5.


def test_a_change_of_one_field_changes_that_parameter_alone():
    assert edited(PARAMS, refund="30.00").params == PARAMS | {"refund": "30.00"}
    assert edited(PARAMS, quantity="3").params == PARAMS | {"quantity": 3}
    assert edited(PARAMS, weight="1.5").params["weight"] == 1.5
    assert edited(PARAMS, restock="true").params["restock"] is True
    assert edited(PARAMS, address__zip="54321").params["address"] == PARAMS["address"] | {"zip": "54321"}


def test_an_emptied_optional_field_leaves_the_parameter_out():
    assert "reason" not in edited(PARAMS, reason="").params
    assert "restock" not in edited(PARAMS, restock="").params
    assert edited(PARAMS, note="").params["note"] is None


def test_what_no_field_can_show_stays_in_the_json_field():
    form = schema_form(SCHEMA, PARAMS)
    assert form.fields[REST].initial == {"address": {"unit": 7}, "lines": [1, 2], "extra": {"deep": [True]}}
    assert edited(PARAMS, **{REST: '{"lines": [3]}'}).params["lines"] == [3]


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("order_id", "", "required"),
        ("order_id", "x" * 21, "at most 20"),
        ("refund", "ten", "decimal text"),
        ("quantity", "10", "less than or equal to 9"),
        ("quantity", "two", "whole number"),
        ("weight", "1e300", "too large"),
        ("weight", "nan", "number"),
        ("reason", '"stolen"', "valid choice"),
        ("on", "2027-02-30", "a date such as"),
        ("address__zip", "123", "not of the form"),
        (REST, "[1]", "object"),
        (REST, '{"a": 1, "a": 2}', "twice"),
        (REST, '{"order_id": "B-2"}', "field of its own"),
        (REST, '{"lines": ["x"]}', "/lines/0: Send a whole number"),
    ],
)
def test_a_wrong_entry_is_said_at_its_field(field, typed, words):
    form = edited(PARAMS, **{field: typed})
    assert words in str(form.errors.get(field)), form.errors


def test_titles_become_labels_and_no_words_of_a_schema_become_markup():
    html = schema_form(SCHEMA, {}).as_p()
    assert "Order" in html and "&lt;b&gt;invoice" in html and "<b>" not in html
    hostile = {"type": "object", "properties": {"x": {"type": "string", "title": "<script>", "enum": ["<i>"]}}}
    assert "<script>" not in schema_form(hostile).as_p() and "<i>" not in schema_form(hostile).as_p()


def test_a_schema_without_properties_is_one_json_field():
    form = edited({"a": [1]}, {"type": "object"})
    assert list(form.fields) == [REST] and form.params == {"a": [1]}


def test_a_closed_schema_has_no_room_for_more():
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert list(schema_form(closed, {"a": "b"}).fields) == ["a"]


def test_a_value_of_another_type_than_the_schema_says_is_shown_as_it_is():
    form = edited({"quantity": "2", "order_id": "A"})
    assert "quantity" not in form.fields and "whole number" in str(form.errors[REST])


def test_a_schema_that_cannot_be_used_lets_nothing_pass():
    form = edited({"a": 1}, {"type": "object", "$dynamicRef": "#x"})
    assert not form.is_valid()
