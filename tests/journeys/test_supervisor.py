"""`manage.py demo` as a script or a person meets it: real processes, real signals."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import servers
from config.processes import Process, process_started
from config.watched import FALLS_ALLOWED, LONGEST_DELAY, Failed, Watched

PROJECT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 100.0  # on a busy machine; a quiet one needs a tenth
SECONDS_TO_STOP = 30.0  # likewise
CASE = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": "Yes."}

pytestmark = pytest.mark.timeout(300)


def clean_environment(**extra: str) -> dict[str, str]:
    """A shell that never heard of the tests' servers."""
    ours = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "DATABASE_POOL"}
    kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("COUNTERSIGN")}
    return {**kept, "NO_COLOR": "1", **extra}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


class Demo:
    """A demo started as its own process, on a data folder that several starts share."""

    def __init__(self, folder: Path) -> None:
        self.data, self.ready_file, self.output = folder / "data", folder / "ready.json", folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, Any]:
        """Returns what the ready file says."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "manage.py", "demo", "--port", "0"),
                    *("--data", str(self.data), "--ready-file", str(self.ready_file)),
                ],
                cwd=PROJECT,
                env=clean_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)
        return json.loads(self.ready_file.read_text())

    def end(self, number: int) -> int:
        """Send one signal to the supervisor alone and wait for its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(SECONDS_TO_STOP)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def processes(self) -> dict[int, str]:
        """Everything alive that works on this data folder or was started for it: pid to command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                at_work = os.readlink(folder / "cwd").startswith(str(self.data))
                if (at_work or os.fsencode(self.data) in words) and process_started(int(folder.name)):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def count_cases(self, ready: dict[str, Any]) -> int:
        return len(self.call(ready, "GET")["results"])

    def call(self, ready: dict[str, Any], method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One of the two requests that the demo prints, with the same token."""
        request = urllib.request.Request(
            f"{ready['url']}/api/v1/cases/?limit=200" if method == "GET" else f"{ready['url']}/api/v1/cases/",
            data=json.dumps(body).encode() if body else None,
            method=method,
            headers={
                "Authorization": f"Token {ready['tenants']['acme']['token']}",
                "Content-Type": "application/json",
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            return json.loads(response.read())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    yield demo
    if demo.process is not None and demo.process.poll() is None:
        demo.process.terminate()
        try:
            demo.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            demo.process.kill()


def test_demo_starts_stops_restarts_and_recovers(demo: Demo) -> None:
    """One walk, since each start takes seconds: start, be refused beside it, Ctrl-C, start, `kill -9`, start, stop."""
    ready = demo.start()
    assert set(ready) >= {"url", "database_url", "broker_url", "users", "tenants", "ledger_url"}
    ledger = ready["ledger_url"]
    assert "<h1>Ledger</h1>" in read_page(ledger) and ledger in demo.said()
    assert demo.ready_file.stat().st_mode & 0o077 == 0
    demo.call(ready, "POST", CASE)
    cases = demo.count_cases(ready)
    assert cases >= 1
    token = ready["tenants"]["acme"]["token"]

    # A second demo on the same data, or on the same port, is refused in one sentence, and the first one goes on.
    sentence = refusal("demo", "--data", str(demo.data), "--port", "0")
    assert "already running" in sentence and ready["url"] in sentence
    port = ready["url"].rpartition(":")[2]
    assert f"Port {port} is taken" in refusal("demo", "--data", f"{demo.data}-2", "--port", port)
    # Any other command finds the running demo by itself.
    assert manage("check", "--database", "default", COUNTERSIGN_DATA=str(demo.data)).returncode == 0
    attached = manage("migrate", "--check", COUNTERSIGN_DATA=str(demo.data))
    assert attached.returncode == 0, attached.stderr

    assert demo.end(signal.SIGINT) == 0
    assert demo.processes() == {}
    assert not demo.ready_file.exists()

    ready = demo.start()
    assert ready["tenants"]["acme"]["token"] == token
    assert ready["ledger_url"] == ledger
    assert demo.count_cases(ready) >= cases
    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    demo.ready_file.unlink()

    ready = demo.start()
    assert demo.count_cases(ready) >= cases
    with contextlib.closing(socket.create_connection(("127.0.0.1", int(ready["url"].rpartition(":")[2])))):
        assert demo.end(signal.SIGTERM) == 0  # An open connection does not hold up the end.
    assert demo.processes() == {}
    assert "Traceback" not in demo.said()


def read_page(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        return response.read().decode()


def test_ctrl_c_while_starting_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with demo.output.open("ab") as output:
        demo.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", "0", "--data", str(demo.data)],
            cwd=PROJECT,
            env=clean_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while "Creating tables" not in demo.said() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert demo.end(signal.SIGINT) == 0, demo.said()
    assert demo.processes() == {}
    assert "Traceback" not in demo.said()


def fall(watched: Watched, now: float) -> str:
    """Let the child run to its end, and return what the supervisor says of it at ``now``."""
    while watched.process.is_running():
        time.sleep(0.01)
    said = watched.tend(now)
    assert said is not None
    watched.tend(now + LONGEST_DELAY)
    return said


def test_child_that_keeps_falling_ends_the_demo_and_names_its_log(tmp_path: Path) -> None:
    web = Process("The web server", [sys.executable, "-c", "raise SystemExit(3)"], log=tmp_path / "web.log")
    web.start()
    watched = Watched(web, essential=True)
    said = [fall(watched, now=0.0) for _ in range(FALLS_ALLOWED)]
    assert "exit code 3" in said[0] and "0.5 s" in said[0] and "8 s" in said[-1]
    with pytest.raises(Failed, match=r"The web server ended 6 times in a row: see .*web\.log"):
        fall(watched, now=0.0)


def test_worker_that_keeps_falling_is_started_again_for_ever(tmp_path: Path) -> None:
    worker = Process("The worker", [sys.executable, "-c", "pass"], log=tmp_path / "worker.log")
    worker.start()
    watched = Watched(worker, essential=False)
    said = [fall(watched, now=0.0) for _ in range(FALLS_ALLOWED + 4)]
    assert f"{LONGEST_DELAY:g} s" in said[-1]
    worker.stop()


def refusal(*arguments: str, **environment: str) -> str:
    """The one sentence with which a command ends; it fails, and shows nothing else."""
    done = manage(*arguments, **environment)
    assert done.returncode in {1, 2}, done.stdout
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, done.stdout + done.stderr
    return lines[0]


def test_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is taken" in refusal("demo", "--port", str(port), "--data", str(tmp_path / "data"))
    assert not (tmp_path / "data" / "postgres").exists()


def test_fresh_never_deletes_a_folder_that_no_demo_made(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "no demo made" in refusal("demo", "--fresh", "--port", "0", "--data", str(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://root:hush@db/x", "does not start with postgresql://"),
        ("postgresq://u:hush@db/x", "does not start with postgresql://"),
        ("postgresql://u:hush@db:port/x", "cannot be read"),
        ("postgresql://u:hush@[::1/x", "cannot be read"),
        ("postgresql://u:hush@127.0.0.1", "names no database"),
        ("postgresql://u:hush@127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_wrong_database_url_ends_a_command_with_one_sentence(url: str, says: str) -> None:
    sentence = refusal("migrate", DATABASE_URL=url, REDIS_URL="redis://127.0.0.1:1/0", SECRET_KEY="x" * 50)
    assert says in sentence
    assert "hush" not in sentence


def test_command_without_servers_says_what_to_do(tmp_path: Path) -> None:
    sentence = refusal("migrate", COUNTERSIGN_DATA=str(tmp_path), SECRET_KEY="x" * 50)
    assert sentence == servers.NOTHING_SET
    # A half-set environment is a mistake, never a reason to take the other half from elsewhere.
    half = refusal("migrate", COUNTERSIGN_DATA=str(tmp_path), SECRET_KEY="x" * 50, REDIS_URL="redis://127.0.0.1:1/0")
    assert half.startswith("DATABASE_URL is not set although REDIS_URL is")


@pytest.mark.parametrize("command", [["check"], ["help"], ["--version"], ["migrate", "--help"]])
def test_command_that_needs_no_server_starts_without(command: list[str], tmp_path: Path) -> None:
    done = manage(*command, COUNTERSIGN_DATA=str(tmp_path), COUNTERSIGN_INSECURE_HTTP="1")
    assert done.returncode == 0, done.stderr


def test_stale_state_file_is_not_taken_for_a_running_demo(tmp_path: Path) -> None:
    state = {"pid": os.getpid(), "started": "another boot:1", "url": "", "environment": {}, "children": []}
    (tmp_path / servers.STATE_FILE).write_text(json.dumps(state))
    assert servers.running_demo(tmp_path) is None
    state["started"] = process_started(os.getpid()) or ""
    (tmp_path / servers.STATE_FILE).write_text(json.dumps(state))
    assert servers.running_demo(tmp_path) is not None


@pytest.mark.parametrize(
    ("url", "broker", "cache"),
    [
        ("redis://:pw@h:6379", "redis://:pw@h:6379/0", "redis://:pw@h:6379/1"),
        ("redis://h/4", "redis://h/4", "redis://h/5"),
        ("rediss://h/0", "rediss://h/0?ssl_cert_reqs=required", "rediss://h/1?ssl_cert_reqs=required"),
        ("unix:///run/v.sock", "redis+socket:///run/v.sock?virtual_host=0", "unix:///run/v.sock?db=1"),
        ("unix:///run/v.sock?db=2", "redis+socket:///run/v.sock?virtual_host=2", "unix:///run/v.sock?db=3"),
    ],
)
def test_one_valkey_serves_broker_and_cache(url: str, broker: str, cache: str) -> None:
    assert servers.valkey_urls(url) == (broker, cache)


@pytest.mark.parametrize("url", ["", "valkey://h/0", "redis://", "redis://h:port/0", "redis://h/x/y", "h:6379"])
def test_wrong_redis_url_is_refused(url: str) -> None:
    with pytest.raises(servers.NoServer, match="REDIS_URL cannot be read"):
        servers.valkey_urls(url)


def test_database_settings_keep_sockets_and_options() -> None:
    found = servers.database_settings("postgres://u:p%40ss@/name?host=/run/pg&sslmode=require")
    assert (found["NAME"], found["USER"], found["PASSWORD"], found["HOST"]) == ("name", "u", "p@ss", "/run/pg")
    assert found["OPTIONS"] == {"connect_timeout": "10", "sslmode": "require"}
