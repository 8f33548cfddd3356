"""The demo's supervisor: servers, web, worker and beat as its children, from the first line to a clean end."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from config import embedded, servers, welcome
from config.demo import ledger
from config.demo_folder import DemoFolder, Refused, write_privately
from config.processes import Process, end_process, process_started
from config.watched import Failed, Watched

HOST = "127.0.0.1"
PROJECT = Path(__file__).resolve().parent.parent
SECONDS_TO_ANSWER = 180  # The first start of two workers on a busy machine.


class Stopping(Exception):
    """Somebody asked for the end while something was awaited."""


@dataclass(frozen=True)
class Options:
    """What `manage.py demo` was asked for. Port 0 takes a free one."""

    port: int
    data: Path
    fresh: bool = False
    ready_file: Path | None = None


class Supervisor:
    """Runs the demo until SIGINT, SIGTERM or SIGHUP. ``say`` shows one line to people."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.folder = DemoFolder(options.data)
        self.stopping = False
        self.port = options.port
        self.embedded = embedded.Embedded()
        self.children: list[Watched] = []
        self.environment: dict[str, str] = {}

    def run(self) -> None:
        """Raises ``Refused``, ``Failed`` or ``embedded.CannotStart``, everything stopped again."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        with self.folder.held():
            self._end_leftovers()
            self.port = _require_port(self.options.port)
            if self.options.fresh:
                self._start_afresh()
            self._withdraw_ready_file()
            try:
                self._start()
                self._watch()
            except Stopping:
                pass
            finally:
                self._stop()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True  # Whoever waits looks at it; raising here could interrupt a start half-way.

    # --- before ------------------------------------------------------------------------------------------------------

    def _end_leftovers(self) -> None:
        """After a `kill -9` the kernel told our children to end; see to it that they have. The servers look after
        their own, by their pid files, when they start."""
        for child in self.folder.state().get("children", []):
            if child["started"] and process_started(child["pid"]) == child["started"]:
                self.say(f"Stopping {child['name']}, left over from a demo that was killed …")
                end_process(child["pid"], ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)))

    def _start_afresh(self) -> None:
        if os.environ.get("DATABASE_URL"):
            raise Refused("--fresh cannot empty the database that DATABASE_URL names: empty it yourself, or unset it.")
        self.say(f"Deleting {self.folder.path} …")
        self.folder.wipe()

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        began = time.monotonic()
        self._start_servers()
        self._start_ledger()
        self._run_step("Creating tables", "migrate", "--no-input")
        accounts = self.folder.path / "accounts.json"
        self._run_step("Loading the demo world", "demo_world", "--accounts", str(accounts))
        accounts.chmod(0o600)
        self.say("Starting web, worker and beat …")
        for child in self._children():
            self._launch(child)
        self._await_web()
        self._announce(json.loads(accounts.read_text()))
        self.say(f"Ready after {time.monotonic() - began:.0f} s. Ctrl-C stops everything and keeps the data.")

    def _start_servers(self) -> None:
        database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        ours = [name for name, given in (("PostgreSQL", database_url), ("Valkey", redis_url)) if not given]
        if ours:
            self.say(f"Starting {' and '.join(ours)} …")
        self.embedded = embedded.start(
            self.folder.path, database=not database_url, broker=not redis_url, logs=self.folder.path / "logs"
        )
        self.children += [Watched(process, essential=True) for process in self.embedded.processes]
        self.environment = {
            "DATABASE_URL": database_url or self.embedded.database_url,
            "REDIS_URL": redis_url or self.embedded.redis_url,
            "SECRET_KEY": os.environ.get("SECRET_KEY") or self.folder.secret_key(),
            "COUNTERSIGN_INSECURE_HTTP": "1",
            "COUNTERSIGN_DATA": str(self.folder.path),
            "PUBLIC_URL": self.url,
            "AUDIT_SIGNING_KEY": os.environ.get("AUDIT_SIGNING_KEY") or str(self.folder.audit_key()),
        }
        self._tell()

    def _start_ledger(self) -> None:
        """Where the demo's actions take effect: on the port that it had before, which its action types know."""
        port = _free_port(self.folder.kept_port("ledger_port"))
        self.folder.keep_port("ledger_port", port)
        self.environment |= {
            ledger.URL_VARIABLE: f"http://{HOST}:{port}",
            ledger.KEY_VARIABLE: self.folder.secret_key("ledger_key"),
        }
        command = ["--port", str(port), "--data", str(self.folder.path / "ledger"), "--home", self.url]
        process = Process(
            "The ledger",
            [sys.executable, "-m", "config.demo.ledger", *command],
            log=self.folder.log("ledger"),
            env=self._child_environment(),
            folder=PROJECT,
        )
        self._launch(Watched(process, essential=False))

    def _run_step(self, what: str, command: str, *arguments: str) -> None:
        """One management command, to its end."""
        self.say(f"{what} …")
        step = Process(
            command,
            [sys.executable, "manage.py", command, *arguments],
            log=self.folder.log(command),
            env=self._child_environment(),
            folder=PROJECT,
        )
        step.start()
        try:
            while step.is_running():
                self._pause()
        finally:
            step.stop()
        if step.exit_code():
            said = step.log.read_text(errors="replace").strip().splitlines()
            last = said[-1][:300].rstrip(".") if said else "no output"
            raise Failed(f"`manage.py {command}` failed, see {step.log}: {last}.")

    def _children(self) -> list[Watched]:
        web = [
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"{HOST}:{self.port}",
            "--worker-class",
            "gthread",
            "--workers",
            "2",
        ]
        web += ["--threads", "4", "--graceful-timeout", "3", "--no-control-socket", "--access-logfile", "-"]
        celery = ["celery", "--app", "config"]
        worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        beat = [*celery, "beat", "--schedule", str(self.folder.path / "beat-schedule"), "--pidfile=", "-l", "INFO"]

        def child(name: str, log: str, command: list[str], **how: Any) -> Process:
            return Process(
                name,
                [sys.executable, "-m", *command],
                log=self.folder.log(log),
                folder=PROJECT,
                **{"env": self._child_environment(), **how},
            )

        pooled = self._child_environment() | {"DATABASE_POOL": os.environ.get("DATABASE_POOL", "6")}
        return [
            # SIGQUIT: leave running tasks to their redelivery rather than wait for them.
            Watched(
                child(
                    "The worker",
                    "worker",
                    worker,
                    stop_signals=((signal.SIGTERM, 3.0), (signal.SIGQUIT, 2.0)),
                    death_signal=signal.SIGQUIT,
                ),
                essential=False,
            ),
            Watched(child("The web server", "web", web, env=pooled), essential=True),
            Watched(child("Beat", "beat", beat), essential=False),
        ]

    def _child_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}

    def _launch(self, child: Watched) -> None:
        child.process.start()
        self.children.append(child)
        self._tell()

    def _await_web(self) -> None:
        """Until it answers; a web server that ends before it ever answered will not do better the next time."""
        web = next(child.process for child in self.children if child.process.name == "The web server")
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        answer = ""
        while (answer := _liveness(self.url)) != "200":
            if not web.is_running():
                raise Failed(f"The web server ended while it started: see {web.log}.")
            if time.monotonic() > deadline:
                raise Failed(f"The web server does not answer at {self.url} ({answer}): see {web.log}.")
            self._pause()

    # --- running -----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _tell(self) -> None:
        """Write who we are and whom we have started, for other commands and for a successor."""
        children = [child.process for child in self.children if child.process.is_running()]
        self.folder.tell(
            {
                "pid": os.getpid(),
                "started": process_started(os.getpid()),
                "url": self.url,
                "environment": self.environment,
                "children": [
                    {"name": process.name, "pid": process.pid, "started": process_started(process.pid)}
                    for process in children
                    if process not in self.embedded.processes
                ],
            }
        )

    def _announce(self, accounts: dict[str, Any]) -> None:
        found = servers.find(self.environment, self.folder.path)
        ready = {"url": self.url, "database_url": found.database_url, "broker_url": found.broker_url, **accounts}
        ready["ledger_url"] = self.environment[ledger.URL_VARIABLE]
        for line in welcome.lines(self.url, accounts, ledger_url=ready["ledger_url"]):
            self.say(line)
        if self.options.ready_file:
            write_privately(self.options.ready_file, json.dumps(ready, indent=2))

    def _watch(self) -> None:
        while True:
            self._pause(0.25)
            known = [child.process.pid for child in self.children]
            for child in self.children:
                if line := child.tend(time.monotonic()):
                    self.say(line)
            if known != [child.process.pid for child in self.children]:
                self._tell()

    def _pause(self, seconds: float = 0.1) -> None:
        if self.stopping:
            raise Stopping
        time.sleep(seconds)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Beat first, since it makes work; the web, the worker; then what they all need."""
        self.say("Stopping …")
        self._withdraw_ready_file()
        for child in reversed(self.children):
            child.process.stop()
        self.folder.tell(None)
        self.say(f"Stopped. The data stays in {self.folder.path}.")

    def _withdraw_ready_file(self) -> None:
        if self.options.ready_file:
            self.options.ready_file.unlink(missing_ok=True)


def _require_port(port: int) -> int:
    """The port, free at this moment; raises ``Refused``."""
    if not 0 <= port <= 65535:
        raise Refused(f"{port} is no port: choose one from 1024 to 65535 with --port.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As gunicorn does: closed connections may linger.
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise Refused(f"Port {port} needs more rights than yours: choose one from 1024 with --port.") from None
        except OSError:
            raise Refused(
                f'Port {port} is taken: stop what listens there, or choose another: `make demo ARGS="--port 8001"`.'
            ) from None
        return int(probe.getsockname()[1])


def _free_port(wanted: int) -> int:
    """``wanted`` if nothing listens there, else any."""
    try:
        return _require_port(wanted)
    except Refused:
        return _require_port(0)


def _liveness(url: str) -> str:
    """The status of the health page, or in words why there is none. No proxy is asked for a loopback address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health/live/", timeout=5) as response:
            return str(response.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except (OSError, ValueError) as error:
        return str(error)
