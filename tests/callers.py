"""An account at the API's door, as integrators meet it."""

from typing import Any

from django.test import Client
from django.utils.http import urlencode

from cases.models import Tenant, User
from cases.models.people import system_actor
from cases.services import people


class Caller:
    """Calls ``/api/v1/`` with a fresh token of ``user``. A 500 is an answer like any other."""

    def __init__(self, user: User, tenant: Tenant) -> None:
        self.token = people.issue_token(user, actor=system_actor(), tenant=tenant)
        self.web = Client(raise_request_exception=False, headers={"Authorization": f"Token {self.token}"})

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any):
        return self.web.get(f"/api/v1/{path}{'?' if query else ''}{urlencode(query)}", headers=headers or {})

    def post(self, path: str, body: Any = None, **headers: str):
        return self.send("post", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: str):
        return self.send("put", path, body, headers)

    def send(self, method: str, path: str, body: Any, headers: dict[str, str]):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        call = getattr(self.web, method)
        return call(f"/api/v1/{path}", {} if body is None else body, content_type="application/json", headers=named)
