"""Replaying intake payloads: a file's lines, and the two doors through which each can go in.

``InProcess`` calls the intake's service, ``OverHttp`` the API of a server that may stand anywhere. Both answer with the
same ``Answer``, and neither lets a bad line end the replay.
"""

import http.client
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from .details import details_of
from .errors import CountersignError
from .models import Tenant, User
from .permissions import Denied, allowed, require
from .services import intake
from .services.audit import keep_denial
from .wire.documents import Problem, problem_for_status, problem_of
from .wire.intake import parse_intake
from .wire.parser import WireError, parse_json

logger = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 30
MAX_ANSWER_BYTES = 4_000_000
MAX_WAITS = 5  # for one line
MAX_WAIT = 120.0  # seconds at a time
_CHUNK = 1 << 20


class CannotReplay(CountersignError):
    """The replay cannot start or go on; the message is one sentence."""

    code = "cannot_replay"
    title = "The replay cannot go on"


@dataclass(frozen=True)
class Line:
    """One line of the file without its end, counted from 1. ``is_too_long``: ``raw`` holds only its beginning."""

    number: int
    raw: bytes
    is_too_long: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a line was not taken: the problem's code and, per complaint, a JSON Pointer (or nothing) and a sentence."""

    code: str
    complaints: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Accepted:
    """What became of a line that was taken. ``queue`` is None where no person has to look."""

    is_new: bool
    state: str
    route: str
    triggers: tuple[str, ...]
    reason: str
    queue: str | None


Answer = Accepted | Refusal


class Door(Protocol):
    """One way in. ``send`` raises ``CannotReplay`` when no further line can go through."""

    name: str
    waited: float  # seconds so far, because the server asked for it

    def send(self, raw: bytes) -> Answer: ...

    def close(self) -> None: ...


def read_lines(file: BinaryIO, *, max_bytes: int, limit: int | None = None) -> Iterator[Line]:
    """The first ``limit`` lines of ``file``; no more of a line than ``max_bytes`` is ever in memory."""
    return islice(_lines(file, max_bytes), limit)


def _lines(file: BinaryIO, max_bytes: int) -> Iterator[Line]:
    number = 0
    while raw := file.readline(max_bytes + 2):  # One more for the end of the line, one to see that it is too long.
        number += 1
        text = raw.rstrip(b"\r\n")
        if raw.endswith(b"\n") or len(text) <= max_bytes:
            yield Line(number, text)
            continue
        while (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
            pass
        yield Line(number, text[:max_bytes], is_too_long=True)


def replay_line(line: Line, door: Door, *, tenant: str, max_bytes: int) -> Answer:
    """Send one line through ``door``, or say why it is not worth sending."""
    if line.is_too_long or len(line.raw) > max_bytes:
        return Refusal("line_too_long", (("", f"The line is larger than {max_bytes:,} bytes."),))
    if not line.raw.strip():
        return Refusal("blank_line", (("", "The line is empty."),))
    if b"tenant_id" in line.raw:
        # Only to compare one field: what is wrong with the line otherwise, the door says.
        with suppress(WireError):
            value = parse_json(line.raw, max_bytes=max_bytes)
            if isinstance(value, dict) and value.get("tenant_id") not in (None, tenant):
                return Refusal("other_tenant", (("/tenant_id", f"The line names another tenant than {tenant}."),))
    return door.send(line.raw)


# --- in process ------------------------------------------------------------------------------------------------------


class InProcess:
    """The intake's own service, as ``actor``. Raises ``Denied`` when ``actor`` may not submit cases of ``tenant``."""

    name = "in process"
    waited = 0.0

    def __init__(self, tenant: Tenant, actor: User) -> None:
        require(actor, "submit_case", tenant)
        self.tenant, self.actor = tenant, actor

    def send(self, raw: bytes) -> Answer:
        try:
            sent = parse_intake(parse_json(raw, max_bytes=settings.MAX_BODY_BYTES))
            receipt = intake.submit(sent, actor=self.actor, tenant=self.tenant)
            queue = receipt.answers.get("queue")
            if not receipt.is_new:
                queue = details_of([receipt.case], self.actor)[receipt.case.pk].get("queue")
        except Exception as error:
            # As at the API's door: the caller's mistake gets its sentence, ours is logged and told to nobody.
            if isinstance(error, Denied):
                keep_denial(error)
            problem = problem_of(error)
            if problem is None:
                logger.exception("Unexpected %s", type(error).__name__)
            return _refusal(problem or problem_for_status(500))
        draft = receipt.draft
        return Accepted(receipt.is_new, receipt.case.state, draft.route, tuple(draft.triggers), draft.reason, queue)

    def close(self) -> None:
        pass


def service_account(tenant: Tenant, username: str | None = None) -> User:
    """The account to submit as: the one called ``username``, else the tenant's first service account that may."""
    if username:
        if user := User.objects.filter(username=username).first():
            return user
        raise CannotReplay(f"There is no account called {username}.")
    accounts = User.objects.filter(
        kind=User.AccountKind.SERVICE, is_active=True, memberships__tenant=tenant, memberships__is_active=True
    )
    for user in accounts.order_by("username"):
        if allowed(user, "submit_case", tenant):
            return user
    raise CannotReplay(f"{tenant.slug} has no service account that may submit cases: name an account with --as.")


def _refusal(problem: Problem) -> Refusal:
    complaints = tuple((pointer, detail) for pointer, _, detail in problem.errors)
    return Refusal(problem.code, complaints or (("", problem.detail),))


# --- over HTTP -------------------------------------------------------------------------------------------------------


class OverHttp:
    """The API at ``url`` with the token of an account of the tenant ``slug``, over one connection that is kept open.

    Each line has an idempotency key of its own, so that one whose answer was lost can be sent again; one that came too
    fast is sent again after as long as the server says, which ``notify`` is told. Raises ``CannotReplay`` when nobody
    answers there, or not for this token and tenant.
    """

    def __init__(self, url: str, token: str, slug: str, notify: Callable[[str], None] = lambda line: None) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if parts.scheme not in {"http", "https"} or not host:
            raise CannotReplay("The address is not one: send something like https://countersign.example.")
        if not token.isascii() or not token.isprintable() or not token.strip():
            raise CannotReplay("The token is not one: it is a word of letters and digits.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(host, port, timeout=SECONDS_TO_ANSWER)
        self.name = f"over HTTP at {parts.scheme}://{host}{f':{port}' if port else ''}"
        self._path = parts.path.rstrip("/") + "/api/v1/"
        self._headers = {"Authorization": f"Token {token.strip()}", "Content-Type": "application/json"}
        self._run, self._sent = secrets.token_hex(8), 0
        self._notify, self.waited = notify, 0.0
        self._knock(slug)

    def send(self, raw: bytes) -> Answer:
        self._sent += 1
        key = f"replay-{self._run}-{self._sent}"
        status, body = self._ask("POST", "cases/", raw, {"Idempotency-Key": key})
        try:
            document = json.loads(body)
            return _accepted(document, is_new=status == 201) if status in (200, 201) else _told(document)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return Refusal("unknown_answer", (("", f"The server answered {status} and not as this API does."),))

    def close(self) -> None:
        self.connection.close()

    def _knock(self, slug: str) -> None:
        """Ask something harmless first, so that a wrong token or tenant is one sentence and not one per line."""
        status, body = self._ask("GET", f"automation/?{urlencode({'tenant_id': slug})}")
        if status == 401:
            raise CannotReplay("The server does not know this token, or it has expired: ask for a new one.")
        if status in (403, 404):
            raise CannotReplay(f"This token's account does not see a tenant {slug} there, or the address is wrong.")
        try:
            named = json.loads(body)["tenant_id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            named = None
        if status != 200 or named != slug:
            raise CannotReplay(f"The server answered {status} and not as this API does: is the address right?")

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        for _ in range(MAX_WAITS):
            status, answer, retry_after = self._exchange(method, path, body, headers or {})
            if status not in (429, 503):
                return status, answer
            seconds = min(float(retry_after), MAX_WAIT) if retry_after.isdecimal() else 1.0
            self._notify(f"The server asks to wait {seconds:.0f} s.")
            time.sleep(seconds)
            self.waited += seconds
        return self._exchange(method, path, body, headers or {})[:2]

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, str]:
        for attempt in (1, 2):
            try:
                self.connection.request(method, self._path + path, body, self._headers | headers)
                response = self.connection.getresponse()
                answer = response.read(MAX_ANSWER_BYTES + 1)
                if len(answer) > MAX_ANSWER_BYTES:
                    self.connection.close()
                return response.status, answer, response.headers.get("Retry-After", "")
            except (http.client.HTTPException, ConnectionError) as error:
                # A server may end a connection that it kept open at any time, a restart being the usual reason.
                self.connection.close()
                if attempt == 2:
                    raise CannotReplay(f"The server does not answer: {_words(error)}.") from None
            except OSError as error:
                self.connection.close()
                raise CannotReplay(f"The server does not answer: {_words(error)}.") from None
        raise AssertionError("unreachable")


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS_TO_ANSWER} s"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text[:200].rstrip(".").lower()


def _accepted(document: dict[str, Any], *, is_new: bool) -> Accepted:
    return Accepted(
        is_new,
        str(document["state"]),
        str(document["route"]),
        tuple(map(str, document["triggers"])),
        str(document["reason_for_escalation"]),
        document["queue"],
    )


def _told(problem: dict[str, Any]) -> Refusal:
    complaints = tuple((str(error["pointer"]), str(error["detail"])) for error in problem["errors"])
    return Refusal(str(problem["code"]), complaints or (("", str(problem["detail"])),))
