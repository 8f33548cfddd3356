"""The demo's executor: a small ledger, in its own process, with its own book and page.

    python -m config.demo.ledger --port 8090 --data FOLDER

It speaks what ``docs/executors.md`` asks of an executor and knows nothing else of Countersign: signatures are checked,
each key has one effect. ``COUNTERSIGN_LEDGER_KEY`` is what its tenants' signing secrets are made of (``secret_of``).
"""

import argparse
import base64
import hmac
import json
import os
import signal
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from config.demo.ledger_book import Book, KeyReused, Refused, read_document
from config.demo.ledger_page import CSS, page
from config.demo.stories import STORIES

HOST = "127.0.0.1"
KEY_VARIABLE = "COUNTERSIGN_LEDGER_KEY"
URL_VARIABLE = "COUNTERSIGN_LEDGER_URL"
MAX_BODY = 200_000
VERBS = ("preview", "execute", "lookup")
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def secret_of(key: str, tenant: str) -> str:
    """The Standard Webhooks secret of a tenant, made from the ledger's key: both sides can make it, nobody else."""
    return "whsec_" + base64.b64encode(hmac.digest(key.encode(), tenant.encode(), "sha256")).decode()


class Ledger(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, book: Book, key: str, home: str) -> None:
        self.book, self.key, self.home = book, key, home
        self.tenants = tuple(STORIES)
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Ledger
    timeout = 10  # seconds of a client's silence
    server_version = "Ledger/1"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_local():
            return
        asked = urlsplit(self.path)
        if asked.path == "/ledger.css":
            return self._send(200, "text/css", CSS.encode())
        if asked.path != "/":
            return self._answer(404, {"code": "not_found"})
        query = parse_qs(asked.query)
        tenant, before = query.get("tenant", [""])[0], query.get("before", ["0"])[0]
        tenant = tenant if tenant in self.server.tenants else ""
        entries = self.server.book.newest(tenant, int(before) if before.isdecimal() and len(before) < 16 else 0)
        html = page(
            entries, self.server.book.balances(), tenant=tenant, tenants=self.server.tenants, home=self.server.home
        )
        self._send(200, "text/html; charset=utf-8", html.encode())

    def do_POST(self) -> None:
        if not self._is_local():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
            return self._answer(413, {"code": "too_large"})
        body = self.rfile.read(int(length))
        tenant, _, verb = self.path.strip("/").partition("/")
        if tenant not in self.server.tenants or verb not in VERBS:
            return self._answer(404, {"code": "not_found"})
        if not self._is_signed(tenant, verb, body):
            return self._answer(401, {"code": "bad_signature"})
        try:
            document = read_document(body)
        except ValueError:
            return self._answer(400, {"code": "not_understood"})
        if self.headers.get("Idempotency-Key") != document["action_id"]:
            return self._answer(400, {"code": "wrong_key"})
        self._do(tenant, verb, document, body)

    def _do(self, tenant: str, verb: str, document: Mapping[str, Any], body: bytes) -> None:
        book = self.server.book
        try:
            if verb == "preview":
                self._answer(200, book.preview(tenant, document))
            elif verb == "lookup":
                self._answer(200, book.look_up(tenant, document["action_id"]))
            else:
                self._answer(200, book.execute(tenant, document, body))
        except Refused as error:
            self._answer(422, {"state": "failed", "code": error.code, "message": str(error)})
        except KeyReused:
            self._answer(409, {"code": "key_reused", "message": "This key stands in the book with another request."})

    def _is_signed(self, tenant: str, verb: str, body: bytes) -> bool:
        if not self.headers.get("webhook-id", "").startswith(f"{verb}_"):  # A preview replayed at /execute.
            return False
        try:
            Webhook(secret_of(self.server.key, tenant)).verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # Malformed headers are ValueErrors.
            return False
        return True

    def _is_local(self) -> bool:
        """By the name that the browser was given: a foreign page cannot make this its own by a name that leads here."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host in (HOST, "localhost"):
            return True
        self._answer(421, {"code": "wrong_host"})
        return False

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**SECURITY, "Content-Type": media_type, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        print(f"{self.command} {urlsplit(self.path).path[:100]} {args[1] if len(args) > 1 else ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="on loopback; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="the folder of its book")
    parser.add_argument("--home", default="http://127.0.0.1:8000", help="where Countersign is, for links")
    options = parser.parse_args()
    key = os.environ.get(KEY_VARIABLE, "")
    if len(key) < 20:
        sys.exit(f"{KEY_VARIABLE} is not set: set it to at least 20 random characters.")
    options.data.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(options.port, Book(options.data / "ledger.sqlite3"), key, options.home)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    print(f"The ledger listens at {ledger.url}/", flush=True)
    try:
        ledger.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        ledger.server_close()


if __name__ == "__main__":
    main()
