"""A mail server for tests: a real SMTP conversation on loopback, which notes the mails and refuses when told."""

import socketserver
import threading
from types import TracebackType

SMTP = "django.core.mail.backends.smtp.EmailBackend"  # The real one, in place of that of Django's test runner.


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box: Mailbox = self.server.box
        self._say(220, "mailbox")
        while line := self.rfile.readline():
            match line.strip().upper().split(b" ")[0]:
                case b"QUIT":
                    return self._say(221, "bye")
                case b"DATA":
                    self._say(354, "go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    box.mails.append(b"".join(lines).decode())
                    self._say(250, "taken")
                case b"RCPT" if box.refuses:
                    self._say(550, "nobody here")
                case _:
                    self._say(250, "fine")

    def _say(self, code: int, words: str) -> None:
        self.wfile.write(f"{code} {words}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


class Mailbox:
    """Use as a context manager; ``mails`` are the texts that came, ``refuses`` makes it turn them away.

    With a ``port`` of its own it can be left and entered again, as a server that was down.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.mails: list[str] = []
        self.refuses = False

    def __enter__(self) -> "Mailbox":
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.daemon_threads, self._server.box = True, self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
