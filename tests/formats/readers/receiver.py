"""A server of this machine that keeps what a client sends it, for the readers of tools that upload."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """``posted`` holds path and document of each POST; ``answer(method, path, document)`` is what it gets."""

    def __init__(self, answer: Callable[[str, str, Any], Any]) -> None:
        self.posted: list[tuple[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                path = self.path.partition("?")[0]
                receiver.posted.append((path, document))
                self.give(answer("POST", path, document))

            def do_GET(self) -> None:
                self.give(answer("GET", self.path.partition("?")[0], None))

            def give(self, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
