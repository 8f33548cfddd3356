"""Which PostgreSQL and which Valkey a process talks to: the environment says so, or a running demo does.

Imported by the settings, so it touches no model. A wrong address ends the start with one sentence (``NoServer``);
the sentences never hold an address as it was written, since passwords stand in it.
"""

import json
import re
import secrets
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url

from config.processes import process_started

STATE_FILE = "running.json"
NOTHING_SET = (
    "DATABASE_URL and REDIS_URL are not set and no demo is running here: set both, "
    "or start `make demo` in another terminal."
)
# What answers without a database; their settings hold a placeholder that says NOTHING_SET when it is used after all.
NEEDS_NO_SERVER = frozenset(
    {
        "audit_key",
        "check",
        "collectstatic",
        "compilemessages",
        "demo",
        "diffsettings",
        "help",
        "makemessages",
        "spectacular",
        "version",
    }
)
# SQLSTATEs that mean "no connection came about": wrong sign-in, no such database, too many connections, not now.
CANNOT_CONNECT = ("08", "28", "3D", "53", "57")


class NoServer(Exception):
    """There is no server to talk to; the message is one sentence that says what is missing and what to do."""


@dataclass(frozen=True)
class Found:
    """Addresses of the servers; all empty for a command that needs none."""

    database_url: str
    broker_url: str  # as Celery writes it
    cache_url: str  # as redis-py writes it


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where the demo keeps its servers, logs and secrets."""
    return Path(environ.get("COUNTERSIGN_DATA") or Path(__file__).resolve().parent.parent / ".countersign")


def find(environ: Mapping[str, str], data_dir: Path) -> Found:
    """The servers that the environment names, or else those of the demo that runs on ``data_dir``.

    Raises ``NoServer`` where an address is missing or cannot be read. Whether the server answers shows at first use.
    """
    environ = {**running_environment(environ, data_dir), **{k: v for k, v in environ.items() if v}}
    database_url, redis_url = environ.get("DATABASE_URL", ""), environ.get("REDIS_URL", "")
    if database_url:
        database_settings(database_url)
    broker_url, cache_url = valkey_urls(redis_url) if redis_url else ("", "")
    if (database_url and redis_url) or not needs_server(sys.argv):
        return Found(database_url, broker_url, cache_url)
    if not database_url and not redis_url:
        raise NoServer(NOTHING_SET)
    missing, present = ("REDIS_URL", "DATABASE_URL") if database_url else ("DATABASE_URL", "REDIS_URL")
    raise NoServer(f"{missing} is not set although {present} is: set both, or neither to use a running demo.")


def needs_server(argv: Sequence[str]) -> bool:
    """False for the management commands that work without a database; servers, workers and tests need one."""
    if not argv or Path(argv[0]).name not in {"manage.py", "django-admin", "__main__.py"}:
        return True
    words = argv[1:]
    return bool(words) and words[0] not in NEEDS_NO_SERVER and not {"-h", "--help", "--version"}.intersection(words)


def prepare(environ: MutableMapping[str, str], argv: Sequence[str]) -> None:
    """Give a management command what it would otherwise miss: the environment of the running demo, or, where it
    needs no server, a key that is good for this one process, since the settings ask for one. Raises ``NoServer``."""
    if argv[1:2] == ["demo"]:
        environ["COUNTERSIGN_INSECURE_HTTP"] = "1"
    elif needs_server(argv):
        for name, value in running_environment(environ, data_dir(environ)).items():
            environ.setdefault(name, value)
        find(environ, data_dir(environ))  # Before the settings can ask for anything else that a demo would provide.
    elif argv[1:2] != ["check"]:  # `check --deploy` judges the real key.
        environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))


def running_demo(data_dir: Path) -> dict[str, Any] | None:
    """What the supervisor on ``data_dir`` wrote of itself, or None if it is not running any more."""
    try:
        state = json.loads((data_dir / STATE_FILE).read_text())
        alive = process_started(int(state["pid"])) == state["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if alive else None


def running_environment(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """The variables of the running demo's own processes, or nothing if there is none or the caller named others.

    A shell that names a database of its own must not get half of a demo: the other half would be its broker.
    """
    state = running_demo(data_dir) or {}
    theirs: dict[str, str] = state.get("environment", {})
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if environ.get(name)]
    return theirs if all(environ[name] == theirs.get(name) for name in named) else {}


def database_settings(url: str) -> dict[str, Any]:
    """Django's ``DATABASES`` entry for a ``postgresql://`` address; libpq's own parser reads it, socket hosts and
    ``?sslmode=…`` included. The empty address gives a database that refuses to connect with a clear sentence."""
    if not url:
        return {"ENGINE": "config.no_database", "NAME": "none", "OPTIONS": {}}
    if not url.startswith(("postgresql://", "postgres://")):
        raise NoServer("DATABASE_URL does not start with postgresql://: Countersign runs on PostgreSQL only.")
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        [int(port) for port in parts.get("port", "").split(",") if port]
    except (psycopg.Error, ValueError):
        raise NoServer(
            "DATABASE_URL cannot be read: write it as postgresql://user:password@host:5432/name, "
            "with special characters percent-encoded."
        ) from None
    if not parts.get("dbname"):
        raise NoServer("DATABASE_URL names no database: end it with /name.")
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    settings: dict[str, Any] = {setting: parts.pop(part, "") for part, setting in names.items()}
    return {**settings, "OPTIONS": {"connect_timeout": "10", **parts}}


def valkey_urls(url: str) -> tuple[str, str]:
    """The broker's and the cache's address on one Valkey: the database that ``url`` names (0 if none), and the next.

    Celery writes a socket ``redis+socket://path?virtual_host=0`` where redis-py writes ``unix://path?db=0``.
    """
    try:
        number = int(parse_url(url).get("db", 0))
        parts = urlsplit(url)
        query = {name: value for name, value in parse_qsl(parts.query) if name != "db"}
        if parts.scheme == "unix":
            broker, cache = ({**query, name: str(n)} for name, n in (("virtual_host", number), ("db", number + 1)))
            where = f"://{parts.netloc}{parts.path}?"
            return f"redis+socket{where}{urlencode(broker)}", f"unix{where}{urlencode(cache)}"
        if not parts.hostname or parts.port == 0 or not re.fullmatch(r"/?\d*", parts.path):
            raise ValueError
        if parts.scheme == "rediss":
            query.setdefault("ssl_cert_reqs", "required")  # Celery refuses to guess.
    except ValueError:
        raise NoServer("REDIS_URL cannot be read: write it as redis://:password@host:6379/0.") from None
    numbered = [parts._replace(path=f"/{n}", query=urlencode(query)) for n in (number, number + 1)]
    return urlunsplit(numbered[0]), urlunsplit(numbered[1])


def explain(error: BaseException) -> str | None:
    """One sentence for an error that means that the database cannot be reached, None for any other."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, psycopg.OperationalError):
        cause = cause.__cause__
    if cause is None or (cause.sqlstate and not cause.sqlstate.startswith(CANNOT_CONNECT)):
        return None
    said = str(cause).strip().splitlines()
    return f"The database that DATABASE_URL names cannot be reached ({said[0] if said else 'no answer'}): check the \
address, and that the server runs."
