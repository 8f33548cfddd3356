"""An executor behind real HTTP for the tests: a bank that books each execution that reaches it, doubles included.

It honours no keys by itself, so that a second effect would show; ``honours_keys`` makes it answer a known key with its
first booking. ``kill`` ends a process before or after a booking, as if it had died in the middle of its call.
"""

import contextlib
import json
import os
import signal
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Bank:
    def __init__(self) -> None:
        self.bookings: Counter[str] = Counter()  # key → effects
        self.payloads: dict[str, bytes] = {}
        self.honours_keys = True
        self.kills: str = ""  # "preview", "before", "after": whom ``victim`` names dies there
        self.victim: int | None = None
        self._lock = threading.Lock()
        bank = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(BrokenPipeError):  # The caller may be dead.
                    self._say(bank.answer(self.path.rpartition("/")[2], self.headers["Idempotency-Key"], body))

            def _say(self, document: dict[str, Any]) -> None:
                data = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/bank"

    def __enter__(self) -> "Bank":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, verb: str, key: str, body: bytes) -> dict[str, Any]:
        if verb == "preview":
            self._kill("preview")
            return {"binding": {"order": "open"}, "info": {}}
        with self._lock:
            if verb == "lookup":
                return {"state": "executed", "reference": key[-8:]} if self.bookings[key] else {"state": "absent"}
            self._kill("before")
            if not (self.honours_keys and self.bookings[key]):
                self.bookings[key] += 1
                self.payloads[key] = body
            self._kill("after")
            return {"state": "executed", "reference": key[-8:]}

    def _kill(self, moment: str) -> None:
        if self.kills == moment and self.victim:
            os.kill(self.victim, signal.SIGKILL)
            self.kills = ""
