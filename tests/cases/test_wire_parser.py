"""The strict parser: what it refuses, where it points, and that what it accepts stays what it is."""

import json
import re
import time
from pathlib import Path

import pytest
import rfc8785
from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

import cases
from cases.wire.error_page import catalogue
from cases.wire.forms import StrictJSONFormField
from cases.wire.parser import MAX_DEPTH, StrictJSONParser, WireError, parse_json

REFUSED = [
    pytest.param(b"", "not_json", None, id="nothing at all"),
    pytest.param(b"{", "not_json", None, id="an object that does not end"),
    pytest.param(b'{"a": 1,}', "not_json", None, id="a trailing comma"),
    pytest.param(b"{'a': 1}", "not_json", None, id="single quotes"),
    pytest.param(b"{} {}", "not_json", None, id="two values"),
    pytest.param(b'"a\nb"', "not_json", None, id="a raw line feed in a text"),
    pytest.param(b'"a\x00b"', "not_json", None, id="a raw NUL in a text"),
    pytest.param(b"[01]", "not_json", None, id="a leading zero"),
    pytest.param(b"\xef\xbb\xbf{}", "byte_order_mark", None, id="a byte order mark"),
    pytest.param('{"a": 1}'.encode("utf-16"), "not_utf8", None, id="UTF-16"),
    pytest.param(b'"\xff"', "not_utf8", None, id="a byte that is no UTF-8"),
    pytest.param(b'"\xed\xa0\x80"', "not_utf8", None, id="an encoded surrogate"),
    pytest.param(b'"\xc0\x80"', "not_utf8", None, id="an overlong NUL"),
    pytest.param(b'{"a": [1, NaN]}', "not_a_number", "/a/1", id="NaN"),
    pytest.param(b'{"a": -Infinity}', "not_a_number", "/a", id="minus Infinity"),
    pytest.param(b'{"a": 1e400}', "number_too_large", "/a", id="a number that overflows a double"),
    pytest.param(b'{"a": 1e20}', "number_too_large", "/a", id="a double beyond 2^53"),
    pytest.param(b'{"a": 9007199254740992}', "number_too_large", "/a", id="2^53"),
    pytest.param(b"[[-9007199254740992]]", "number_too_large", "/0/0", id="minus 2^53"),
    pytest.param(b"9" * 5000, "number_too_large", "", id="more digits than Python converts"),
    pytest.param(b'{"a": 1, "a": 1}', "duplicate_key", "/a", id="a key twice"),
    pytest.param(b'{"x": [{"a": 1, "\\u0061": 2}]}', "duplicate_key", "/x/0/a", id="a key twice, once escaped"),
    pytest.param(b'{"a/b": {"~": 1, "~": 2}}', "duplicate_key", "/a~1b/~0", id="a pointer that needs escapes"),
    pytest.param(b'{"a": "x\\u0000y"}', "nul", "/a", id="an escaped NUL"),
    pytest.param(b'{"a": {"x\\u0000": 1}}', "nul", "/a", id="an escaped NUL in a key"),
    pytest.param(b'["\\ud800"]', "lone_surrogate", "/0", id="the first half of a pair"),
    pytest.param(b'["\\uDFFF\\uD800"]', "lone_surrogate", "/0", id="a pair the wrong way round"),
    pytest.param(b"[" * 33 + b"]" * 33, "too_deep", None, id="33 levels"),
    pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, "too_deep", None, id="40 objects"),
    pytest.param(b"[" * 100_000, "too_deep", None, id="100,000 open brackets"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, "too_deep", None, id="100,000 levels"),
]


@pytest.mark.parametrize(("raw", "code", "pointer"), REFUSED)
def test_a_bad_body_is_a_400_that_points_to_the_place(raw, code, pointer):
    with pytest.raises(WireError) as caught:
        parse_json(raw, max_bytes=1_000_000)
    assert (caught.value.status, caught.value.code, caught.value.pointer) == (400, code, pointer)


ACCEPTED = [
    pytest.param(b"null", None, id="null"),
    pytest.param(b" [1, 2.5, -0.0, 1e3, true] ", [1, 2.5, 0.0, 1000.0, True], id="numbers and a boolean"),
    pytest.param(b"[9007199254740991, -9007199254740991]", [2**53 - 1, 1 - 2**53], id="the largest integers"),
    pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="an escaped pair"),
    pytest.param(b'"\\\\u0000 \\\\ud800"', r"\u0000 \ud800", id="a backslash before what looks like an escape"),
    pytest.param(b'{"a": {"a": [{"a": 1}, {"a": 2}]}}', {"a": {"a": [{"a": 1}, {"a": 2}]}}, id="a key on each level"),
    pytest.param(b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32), id="32 levels"),
    pytest.param(json.dumps(["[" * 50, '"{' * 50]).encode(), ["[" * 50, '"{' * 50], id="brackets within texts"),
    pytest.param(b"[" + b"[]," * 100 + b"{}]", [[]] * 100 + [{}], id="many brackets side by side"),
]


@pytest.mark.parametrize(("raw", "value"), ACCEPTED)
def test_good_json_is_read_as_it_is(raw, value):
    assert parse_json(raw, max_bytes=10_000) == value


def test_a_body_one_byte_too_long_is_a_413():
    assert parse_json(b'"' + b"x" * 98 + b'"', max_bytes=100)
    with pytest.raises(WireError) as caught:
        parse_json(b'"' + b"x" * 99 + b'"', max_bytes=100)
    assert (caught.value.status, caught.value.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "raw",
    [b"[" * 1_000_000, b"1" * 1_000_000, b"[" * 40 + b'"' + b'\\"' * 490_000, b"0." + b"1" * 999_000],
    ids=["brackets", "digits", "escaped quotes without an end", "decimals"],
)
def test_a_hostile_megabyte_takes_no_time(raw):
    start = time.perf_counter()
    try:
        parse_json(raw, max_bytes=1_000_000)
    except WireError as error:
        assert error.status == 400
    assert time.perf_counter() - start < 1


def test_no_message_repeats_what_was_sent():
    secret = "4111111111111111"
    for raw in (
        f'{{"a": 9{secret}9}}',
        f'{{"a": "{secret}", "b": 1, "b": "{secret}"}}',
        f'{{"a": "{secret}\\u0000"}}',
        f"{{{secret}}}",
    ):
        with pytest.raises(WireError) as caught:
            parse_json(raw.encode(), max_bytes=10_000)
        assert secret not in caught.value.message + str(caught.value.pointer)


def test_a_pointer_does_not_grow_with_the_keys_of_the_body():
    known, huge = "k" * 200, "x" * 5000
    for inner, shown in (f'"{huge}": 1, "b": NaN', "/b"), (f'"{huge}": NaN', ""):
        with pytest.raises(WireError) as caught:
            parse_json(f'{{"{known}": {{{inner}}}}}'.encode(), max_bytes=20_000)
        assert caught.value.pointer == f"/{known}{shown}"


def depth(value) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.integers(1 - 2**53, 2**53 - 1) | st.floats(1 - 2**53, 2**53 - 1, allow_nan=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
).filter(lambda value: depth(value) <= MAX_DEPTH)


@settings(deadline=None)
@given(values, st.booleans())
def test_whatever_is_accepted_has_one_canonical_form(value, escaped):
    parsed = parse_json(json.dumps(value, ensure_ascii=escaped).encode(), max_bytes=1_000_000)
    canonical = rfc8785.dumps(parsed)
    assert canonical == rfc8785.dumps(value)
    assert rfc8785.dumps(parse_json(canonical, max_bytes=1_000_000)) == canonical


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:\\u0d8aN1e9.- ', max_size=40).map(str.encode))
def test_any_bytes_are_either_refused_or_canonical(raw):
    try:
        parsed = parse_json(raw, max_bytes=1_000)
    except WireError as error:
        assert error.status == 400
    else:
        rfc8785.dumps(parsed)


@pytest.mark.django_db
def test_postgresql_gives_back_the_same_canonical_bytes():
    with connection.cursor() as cursor:

        @settings(deadline=None)
        @given(values)
        def round_trip(value):
            parsed = parse_json(json.dumps(value).encode(), max_bytes=1_000_000)
            cursor.execute("SELECT (%s::jsonb)::text", [json.dumps(parsed)])
            assert rfc8785.dumps(json.loads(cursor.fetchone()[0])) == rfc8785.dumps(parsed)

        round_trip()


class View:
    max_body_bytes = 50


def read(body: bytes, content_type: str = "application/json", **meta):
    request = APIRequestFactory().post("/", body, content_type=content_type)
    request.META.update(meta)
    context = {"view": View()}
    return Request(request, parsers=[StrictJSONParser()], parser_context=context).data


def test_the_parser_reads_a_request():
    assert read(b'{"a": 1}') == {"a": 1}
    assert read(b'{"a": 1}', 'application/json; charset="UTF-8"') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "content_type", "meta", "status", "code"),
    [
        (b"{}", "application/json; charset=latin-1", {}, 415, "unsupported_charset"),
        (b"{}", "application/json", {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "unsupported_encoding"),
        (b"[" + b" " * 60 + b"]", "application/json", {}, 413, "body_too_large"),
        (b"{}", "application/json", {"CONTENT_LENGTH": "51"}, 413, "body_too_large"),
        (b"{}", "application/json", {"CONTENT_LENGTH": "9" * 30}, 413, "body_too_large"),
    ],
    ids=["another charset", "compressed", "too large", "too large by its own word", "absurdly large"],
)
def test_headers_are_looked_at_before_the_body(body, content_type, meta, status, code):
    with pytest.raises(WireError) as caught:
        read(body, content_type, **meta)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_no_more_is_read_than_the_limit_allows():
    class Stream:
        taken = 0

        def read(self, size):
            self.taken += size
            return b" " * size

    stream = Stream()
    with pytest.raises(WireError) as caught:
        StrictJSONParser().parse(stream, "application/json", {"view": View()})
    assert caught.value.status == 413
    assert stream.taken == View.max_body_bytes + 1


def test_every_code_that_a_request_can_be_refused_with_is_documented():
    source = "".join(path.read_text() for path in Path(cases.__file__).parent.rglob("*.py"))
    codes = set(re.findall(r'(?:WireError|refuse)\(\s*"(\w+)"', source))
    assert {"not_json", "invalid_cursor", "duplicate_key"} <= codes
    assert codes <= set(catalogue())


class Form(forms.Form):
    rules = StrictJSONFormField(max_bytes=2_000)


def test_a_form_field_takes_what_the_api_takes():
    form = Form({"rules": '{"a": [1, "b"]}'})
    assert form.is_valid()
    assert form.cleaned_data["rules"] == {"a": [1, "b"]}
    assert not form.fields["rules"].has_changed({"a": [1, "b"]}, '{ "a": [1, "b"] }')


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', "NaN", '"\\u0000"', "[" * 1_500, "x", "\ud800", '"' + "x" * 2_000 + '"'],
    ids=["a key twice", "NaN", "NUL", "deep", "no JSON", "half a pair", "too large"],
)
def test_a_form_field_refuses_and_shows_the_text_again(text):
    form = Form({"rules": text})
    assert not form.is_valid()
    assert "errorlist" in str(form)


def test_a_form_field_says_where():
    with pytest.raises(ValidationError, match="At /a/b"):
        StrictJSONFormField().clean('{"a": {"b": NaN}}')
