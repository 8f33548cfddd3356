"""A receiver of webhooks for tests: a real HTTP server on loopback, which notes what comes and behaves as told."""

import contextlib
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

Behaviour = Callable[[BaseHTTPRequestHandler], None]

# For "localhost" and "receiver.test", until 2120; trusted by nobody but the test that hands it to its client.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR6gAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1yZWNlaXZl
ci50ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1yZWNlaXZlci50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEx6Vv
e0zDzsXxlUm9DI/Ra1N9Mxzk29oc5SIaZMiHuqAvAdEjEdQ/RTV4j7VqWxUlpkfD
QeY5SSocaIKuhiXHTKNXMFUwIwYDVR0RBBwwGoIJbG9jYWxob3N0gg1yZWNlaXZl
ci50ZXN0MA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFC6GcFo9zmJ/Si0+deMl
n0I9R4VhMAoGCCqGSM49BAMCA0gAMEUCIHPto/gVgG5vErdHEExFAPO6LAf6Z9zf
LHN4PwkFQmjbAiEAuwbF/JgUekfVTvYNO3/8a2fASBQNFD+4xQnhNmhLidw=
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+t2c5Q5qkssscW5e
/aRQVl3yV7aasvPUjPPwWqou2M6hRANCAATHpW97TMPOxfGVSb0Mj9FrU30zHOTb
2hzlIhpkyIe6oC8B0SMR1D9FNXiPtWpbFSWmR8NB5jlJKhxogq6GJcdM
-----END PRIVATE KEY-----
"""


@dataclass(frozen=True)
class Received:
    """One request as it came; header names are lower-case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self, *secrets: str) -> Any:
        """The verified body; raises ``WebhookVerificationError`` unless a signature of each secret is on it."""
        for secret in secrets:
            found = Webhook(secret).verify(self.body, dict(self.headers))
        return found

    def is_signed_with(self, secret: str) -> bool:
        try:
            Webhook(secret).verify(self.body, dict(self.headers))
        except WebhookVerificationError:
            return False
        return True


@dataclass
class Receiver:
    """Use as a context manager. ``then`` says what the next requests meet, one each; after that comes ``always``."""

    is_encrypted: bool = False
    fixed_port: int = 0  # One of its own where a test must name it before; else whichever is free.
    always: Behaviour = field(default_factory=lambda: answer(200))
    requests: list[Received] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    def __enter__(self) -> "Receiver":
        self._next: deque[Behaviour] = deque()
        self.is_closing = threading.Event()
        self._server = _Server(("127.0.0.1", self.fixed_port), _Handler)
        self._server.receiver = self
        if self.is_encrypted:
            self._server.socket = self._tls_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def then(self, *behaviours: Behaviour) -> None:
        self._next.extend(behaviours)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Received(handler.path, headers, handler.rfile.read(length)))
        behave = self._next.popleft() if self._next else self.always
        with contextlib.suppress(OSError):  # The client hung up, as it should.
            behave(handler)

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder, "receiver.pem")
            chain.write_text(KEY + CERTIFICATE)
            context.load_cert_chain(chain)
        context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a handshake that the client broke off is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.server.receiver.take(self)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """A plain answer."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def redirect(location: str, status: int = 302) -> Behaviour:
    return answer(status, headers={"Location": location})


def raw(data: bytes) -> Behaviour:
    """Exactly these bytes, then the end of the connection."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    return behave


def hang(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    handler.server.receiver.is_closing.wait(60)


def drip(head: bytes = b"", every: float = 1) -> Behaviour:
    """``head``, then one byte each ``every`` seconds, for ever."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        for data in _endless(head, b"H"):
            handler.wfile.write(data)
            if handler.server.receiver.is_closing.wait(every):
                return

    return behave


def pour(head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", block: bytes = b"x" * 100_000) -> Behaviour:
    """``head``, then blocks without end: gigabytes, if the client takes them."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        for data in _endless(head, block):
            handler.wfile.write(data)
            if handler.server.receiver.is_closing.is_set():
                return

    return behave


def _endless(first: bytes, block: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield block
