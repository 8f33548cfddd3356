"""A Content-Type that cannot be parsed is refused like one that is not understood, through what gunicorn serves."""

import io
import json
from wsgiref.util import setup_testing_defaults

import pytest

from cases.models import Case
from cases.models.people import system_actor
from cases.services import people
from config.wsgi import application
from tests.worlds import make_world

BODY = b'{"domain": "billing", "user_question": "?"}'


def post(content_type: str, path: str = "/api/v1/cases/", token: str = "") -> tuple[int, bytes]:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "CONTENT_TYPE": content_type, "HTTP_HOST": "localhost"}
    environ |= {"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": io.BytesIO(BODY), "REMOTE_ADDR": "127.0.0.1"}
    if token:
        environ["HTTP_AUTHORIZATION"] = f"Token {token}"
    setup_testing_defaults(environ)
    said = []
    body = b"".join(application(environ, lambda status, headers, error=None: said.append(status)))
    return int(said[0].split()[0]), body


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset*=bogus''x", "application/json; a*=\xff''x", "text/plain; charset*=bogus''x"],
)
def test_a_parameter_in_an_encoding_that_nobody_knows_is_a_415(content_type):
    world = make_world()
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    status, body = post(content_type, token=token)
    assert (status, json.loads(body)["code"]) == (415, "unsupported_media_type")
    assert not Case.objects.exists()
    assert post("application/json; charset=utf-8", token=token)[0] == 201


@pytest.mark.django_db(transaction=True)
def test_outside_of_the_api_it_is_refused_too():
    assert post("application/x-www-form-urlencoded; charset*=bogus''x", "/admin/login/")[0] == 403
