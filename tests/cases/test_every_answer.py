"""What the middlewares do for every answer: its policy, the address in its log lines, and whose page it is."""

import pytest
import structlog
from csp.decorators import csp_replace, csp_update
from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.test import Client, RequestFactory
from django.urls import path, set_script_prefix, set_urlconf

from cases.admin.sessions import is_back_office
from cases.models import User

BACKEND = "django.contrib.auth.backends.ModelBackend"
HEADER = "Content-Security-Policy"


def address(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ip": structlog.contextvars.get_contextvars().get("ip")})


@csp_update({"img-src": ["https://img.example"]})
def with_more(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


@csp_replace({"default-src": ["'none'"]})
def with_less(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


def with_its_own(request: HttpRequest) -> JsonResponse:
    return JsonResponse({}, headers={HEADER: "sandbox"})


urlpatterns = [
    path("address/", address),
    path("more/", with_more),
    path("less/", with_less),
    path("own/", with_its_own),
    path("admin/", admin.site.urls),
]
pytestmark = pytest.mark.urls(__name__)


def policy_of(where: str) -> dict[str, set[str]]:
    parts = [part.split() for part in Client().get(where)[HEADER].split("; ")]
    return {name: set(sources) for name, *sources in parts}


def test_each_answer_carries_the_policy_and_a_view_may_have_its_own(db, settings):
    usual = {name: set(sources) for name, sources in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items()}
    for where in ("/address/", "/nowhere/", "/admin/login/"):
        assert policy_of(where) == usual
    assert policy_of("/more/") == usual | {"img-src": usual["img-src"] | {"https://img.example"}}
    assert policy_of("/less/") == usual | {"default-src": {"'none'"}}
    assert policy_of("/own/") == {"sandbox": set()}
    assert policy_of("/address/") == usual


def test_a_policy_that_only_reports_is_sent_beside_it(settings):
    settings.CONTENT_SECURITY_POLICY_REPORT_ONLY = {"DIRECTIVES": {"default-src": ["'none'"]}}
    answer = Client().get("/address/")
    assert answer["Content-Security-Policy-Report-Only"] == "default-src 'none'"
    assert "default-src 'self'" in answer[HEADER]


@pytest.mark.parametrize(("proxies", "logged"), [(0, "198.51.100.7"), (1, "192.0.2.9"), (2, "203.0.113.1")])
def test_log_lines_carry_the_address_that_our_proxies_vouch_for(settings, proxies, logged):
    settings.TRUSTED_PROXIES = proxies
    sent = {"REMOTE_ADDR": "198.51.100.7", "HTTP_X_FORWARDED_FOR": "203.0.113.1, 192.0.2.9"}
    assert Client().get("/address/", **sent).json() == {"ip": logged}


def test_the_api_reads_no_session_whoever_is_signed_in(db, settings, django_assert_num_queries):
    settings.ROOT_URLCONF = "config.urls"
    signed_in = Client()
    signed_in.force_login(User.objects.create_user("iris", is_staff=True, is_superuser=True), BACKEND)
    with django_assert_num_queries(0):
        answer = signed_in.get("/api/v1/automation/")
    assert answer.status_code == 401
    assert "sessionid" not in answer.cookies
    assert not answer.has_header("Vary")


@pytest.mark.parametrize("prefix", ["/", "/office/"])
def test_a_page_of_the_back_office_is_one_under_any_prefix(prefix):
    def is_one(where: str) -> bool:
        return is_back_office(RequestFactory().get(where, SCRIPT_NAME=prefix.rstrip("/")))

    set_script_prefix(prefix)
    try:
        assert is_one("/admin/cases/case/")
        assert not is_one("/api/v1/automation/")
        assert not is_one("/administration/")
        set_urlconf("config.api")
        assert not is_one("/admin/cases/case/")
    finally:
        set_urlconf(None)
        set_script_prefix("/")
