"""Every failure is a problem document, inside DRF and outside it, and tells nothing that it should not."""

import json
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import Client
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import exceptions
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import errors
from cases.wire.documents import MAX_ERRORS, problem_of
from cases.wire.error_page import catalogue, errors_page
from cases.wire.parser import WireError
from cases.wire.pointers import pointer
from cases.wire.problems import current_request_id, handle

SECRET = "hunter2"
MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors"}

RAISED = {
    "denied": errors.NotPermitted("You may not withdraw this case. It stays as it is."),
    "missing": errors.NotFound(SECRET),
    "illegal": errors.IllegalState("The case is approved. Nothing was changed."),
    "in-flight": errors.InFlight(retry_after=3),
    "stale": errors.Stale("The payload changed.", pointer="/payload_hash"),
    "reused": errors.KeyReused(),
    "wire": WireError("not_json", "The body is not valid JSON.", pointer=""),
    "fields": exceptions.ValidationError({"a": ["x"]}),
    "parse": exceptions.ParseError(SECRET),
    "drf-denied": exceptions.PermissionDenied(SECRET),
    "drf-missing": exceptions.NotFound(SECRET),
    "method": exceptions.MethodNotAllowed(SECRET),
    "accept": exceptions.NotAcceptable(SECRET),
    "media": exceptions.UnsupportedMediaType(SECRET),
    "throttled": exceptions.Throttled(7.2),
    "http404": Http404(SECRET),
    "django-denied": PermissionDenied(SECRET),
    "too-big": RequestDataTooBig(SECRET),
    "suspicious": SuspiciousOperation(SECRET),
    "bad": BadRequest(SECRET),
    "database": OperationalError(SECRET),
    "closed": InterfaceError(SECRET),
    "bug": RuntimeError(SECRET),
    "drf-bug": exceptions.APIException(SECRET),
}

STATUS = {
    "denied": (403, "not_permitted"),
    "missing": (404, "not_found"),
    "illegal": (409, "illegal_state"),
    "in-flight": (409, "in_flight"),
    "stale": (412, "stale"),
    "reused": (422, "key_reused"),
    "wire": (400, "not_json"),
    "fields": (400, "invalid"),
    "parse": (400, "bad_request"),
    "drf-denied": (403, "not_permitted"),
    "drf-missing": (404, "not_found"),
    "method": (405, "method_not_allowed"),
    "accept": (406, "not_acceptable"),
    "media": (415, "unsupported_media_type"),
    "throttled": (429, "throttled"),
    "http404": (404, "not_found"),
    "django-denied": (403, "not_permitted"),
    "too-big": (413, "body_too_large"),
    "suspicious": (400, "bad_request"),
    "bad": (400, "bad_request"),
    "database": (503, "unavailable"),
    "closed": (503, "unavailable"),
    "bug": (500, "internal_error"),
    "drf-bug": (500, "internal_error"),
}


class Raises(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    def get(self, request, name):
        raise RAISED[name]

    def post(self, request):
        return Response({"read": request.data, "request_id": current_request_id.get()})


@api_view(["GET"])
def for_members(request):
    return Response({})


@api_view(["GET"])
@authentication_classes([])
@permission_classes([AllowAny])
def open_to_all(request):
    assert request._request.request_id == current_request_id.get()
    return Response({"request_id": current_request_id.get()})


def plain(request, name):
    raise RAISED[name]


def page(request):
    return HttpResponse("page", status=404)


urlpatterns = [
    path("api/v1/raises/<str:name>/", Raises.as_view()),
    path("api/v1/echo/", Raises.as_view()),
    path("api/v1/members/", for_members),
    path("api/v1/open/", open_to_all),
    path("api/v1/plain/<str:name>/", plain),
    path("elsewhere/", page),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def web():
    return Client(raise_request_exception=False)


def document(response):
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert set(body) == MEMBERS
    assert body["status"] == response.status_code
    assert body["request_id"] == response["X-Request-ID"]
    assert SECRET not in response.content.decode()
    return body


@pytest.mark.parametrize("where", ["raises", "plain"], ids=["in a DRF view", "in any other view"])
@pytest.mark.parametrize("name", RAISED)
def test_a_failure_becomes_its_problem(web, name, where):
    body = document(web.get(f"/api/v1/{where}/{name}/"))
    assert (body["status"], body["code"]) == STATUS[name]


def test_every_code_stands_on_the_page_that_type_points_to(rf):
    page = errors_page(rf.get("/api/docs/errors")).content.decode()
    for code in {code for _, code in STATUS.values()} | set(catalogue()):
        assert f'id="{code}"' in page
    assert "style" not in page
    assert SECRET not in page


def test_the_type_is_an_address_of_ours(web, settings):
    kind = document(web.get("/api/v1/raises/stale/"))["type"]
    assert kind.startswith(settings.PUBLIC_URL)
    assert urlsplit(kind).fragment == "stale"


def test_a_domain_error_speaks_for_itself(web):
    body = document(web.get("/api/v1/raises/stale/"))
    assert body["title"] == "What you saw has changed"
    assert body["detail"] == "The payload changed."
    assert body["errors"] == [{"pointer": "/payload_hash", "code": "stale", "detail": "The payload changed."}]


def test_waiting_times_are_sent(web):
    assert web.get("/api/v1/raises/in-flight/")["Retry-After"] == "3"
    assert web.get("/api/v1/raises/throttled/")["Retry-After"] == "8"
    assert int(web.get("/api/v1/raises/database/")["Retry-After"]) >= 1


def test_a_404_is_the_same_whatever_is_missing(web):
    def answer(address):
        body = document(web.get(address))
        body.pop("request_id")
        return json.dumps(body)

    addresses = ["/api/v1/raises/missing/", "/api/v1/raises/http404/", "/api/v1/raises/drf-missing/"]
    assert {answer(address) for address in addresses} == {answer("/api/v1/nowhere/")}


def test_a_405_names_the_methods(web):
    response = web.delete("/api/v1/open/")
    assert document(response)["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]


def test_a_401_names_the_scheme(web):
    response = web.get("/api/v1/members/")
    assert document(response)["code"] == "not_authenticated"
    assert response["WWW-Authenticate"] == "Token"


def test_a_bug_is_logged_with_the_request_and_told_to_nobody(web, caplog):
    with caplog.at_level(logging.ERROR, "cases.wire.problems"):
        body = document(web.get("/api/v1/raises/bug/"))
    (record,) = [record for record in caplog.records if record.name == "cases.wire.problems"]
    assert body["request_id"] in record.getMessage()
    assert record.exc_info[1] is RAISED["bug"]


def test_the_test_client_still_raises_what_is_a_bug():
    with pytest.raises(RuntimeError):
        Client().get("/api/v1/raises/bug/")


@pytest.mark.parametrize(
    "address",
    ["/api/v1/open/?q=%00", "/api/v1/open/?%00=1", "/api/v1/open/?q=%ff", "/api/v1/raises/a%00b/"],
)
def test_an_address_with_nul_or_broken_utf8_is_a_400(web, address):
    assert document(web.get(address))["code"] == "bad_address"


def test_an_unknown_host_is_a_400(web):
    assert document(web.get("/api/v1/open/", headers={"Host": "evil.example"}))["code"] == "unknown_host"
    assert document(web.get("/api/v1/open/", headers={"Host": "a b\\"}))["code"] == "unknown_host"


def test_a_post_without_the_closing_slash_is_told_and_not_redirected(web):
    assert document(web.post("/api/v1/echo", b"{}", content_type="application/json"))["code"] == "not_found"
    assert web.get("/api/v1/open").status_code == 301


def test_a_body_of_unknown_length_is_a_411_and_not_taken_for_empty(web):
    response = web.generic("POST", "/api/v1/echo/", b"", headers={"Transfer-Encoding": "chunked"})
    assert document(response)["code"] == "length_required"


def test_a_form_is_a_415(web):
    assert document(web.post("/api/v1/echo/", {"a": 1}))["code"] == "unsupported_media_type"


def test_a_deep_body_is_a_400(web):
    response = web.post("/api/v1/echo/", b"[" * 100_000, content_type="application/json")
    assert document(response)["code"] == "too_deep"


def test_a_large_body_is_a_413(web, settings):
    body = b'"' + b"x" * settings.MAX_BODY_BYTES + b'"'
    assert document(web.post("/api/v1/echo/", body, content_type="application/json"))["status"] == 413


def test_an_answer_carries_the_request_id_and_is_stored_by_no_cache(web):
    response = web.get("/api/v1/open/")
    assert response.json()["request_id"] == response["X-Request-ID"]
    assert len(response["X-Request-ID"]) == 36
    assert response["Cache-Control"] == "no-store"
    assert current_request_id.get() == ""


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("trace-1.A_b", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("é", False),
        ("", False),
        ("a\n", False),
    ],
)
def test_a_callers_request_id_is_kept_only_where_it_is_harmless(web, sent, kept):
    response = web.get("/api/v1/open/", headers={"X-Request-ID": sent})
    assert (response["X-Request-ID"] == sent) is kept


def test_other_pages_get_a_request_id_and_stay_as_they_are(web):
    response = web.get("/elsewhere/")
    assert response.content == b"page"
    assert response["X-Request-ID"]
    assert "Cache-Control" not in response


def test_nested_errors_become_pointers():
    detail = {
        "cases": [{}, {"evidence": [{}, {"score": [exceptions.ErrorDetail("Send a number.", "invalid")]}]}],
        "tags": {3: ["Too long."]},
        "a/b": ["x"],
        "non_field_errors": ["y"],
    }
    found = problem_of(exceptions.ValidationError(detail)).errors
    assert found == (
        ("/cases/1/evidence/1/score", "invalid", "Send a number."),
        ("/tags/3", "invalid", "Too long."),
        ("/a~1b", "invalid", "x"),
        ("", "invalid", "y"),
    )


def test_a_thousand_errors_are_cut_and_the_cut_is_said():
    problem = problem_of(exceptions.ValidationError({f"f{n}": ["x"] for n in range(1000)}))
    assert len(problem.errors) == MAX_ERRORS
    assert "1000 fields were refused. The first 200 are listed." in problem.detail


@settings(deadline=None)
@given(st.lists(st.text(max_size=20) | st.integers(0, 9), max_size=5))
def test_a_pointer_can_be_taken_apart_again(tokens):
    text = pointer(tokens)
    parts = [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]
    assert parts == [str(token) for token in tokens]


def test_without_a_request_there_is_still_an_answer():
    response = handle(errors.Conflict("Taken."), {})
    assert response.status_code == 409


def test_the_errors_of_the_domain_import_no_framework():
    source = Path(errors.__file__).read_text()
    assert "import" not in source
