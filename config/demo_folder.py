"""The data folder of a demo: one supervisor at a time, its secrets, and what it tells others about itself."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cases import audit_keys
from config import servers

MARKER = "made-by-countersign-demo"
LOCK = "lock"


class Refused(Exception):
    """The folder cannot be used; the message is one sentence."""


class DemoFolder:
    """A folder that a demo made, or that it may make one of: absent or empty. Raises ``Refused`` for any other."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            marker = self.path / MARKER
            if not marker.exists():
                if any(self.path.iterdir()):
                    raise Refused(
                        f"{self.path} holds files that no demo made: name an empty or a new folder with --data."
                    )
                marker.write_text("A demo keeps its servers, logs and secrets here; --fresh deletes all of it.\n")
        except OSError as error:
            raise Refused(f"The data folder {self.path} cannot be used: {error.strerror}.") from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one supervisor; the kernel lets go of it when the process ends, however it ends."""
        with (self.path / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                state = servers.running_demo(self.path) or {}
                where = f"at {state['url']} (process {state['pid']})" if state else "or starting"
                raise Refused(f"A demo is already running {where} on {self.path}: stop it first.") from None
            yield

    def wipe(self) -> None:
        """Delete all that the demo keeps here; the lock is held meanwhile and stays."""
        for entry in self.path.iterdir():
            if entry.name in {MARKER, LOCK}:
                continue
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def secret_key(self, name: str = "secret_key") -> str:
        """Made at the first start and kept, so that a restart signs nobody out."""
        path = self.path / name
        if not path.exists():
            write_privately(path, secrets.token_urlsafe(50))
        return path.read_text().strip()

    def audit_key(self) -> Path:
        """The key that signs the demo's seals, made at the first start. For real it stands on another machine."""
        path = self.path / "audit.pem"
        if not path.exists():
            audit_keys.make(path)
        return path

    def kept_port(self, name: str) -> int:
        """The port that ``keep_port`` wrote, or 0: any."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.path / name).read_text())
        return 0

    def keep_port(self, name: str, port: int) -> None:
        write_privately(self.path / name, str(port))

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def state(self) -> dict[str, Any]:
        """What the last supervisor wrote of itself and its children, empty if it stopped in order."""
        try:
            state = json.loads((self.path / servers.STATE_FILE).read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def tell(self, state: Mapping[str, Any] | None) -> None:
        """Write the state that ``config.servers`` reads, or with None take it back."""
        path = self.path / servers.STATE_FILE
        if state is None:
            path.unlink(missing_ok=True)
        else:
            write_privately(path, json.dumps(state))


def write_privately(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` in one step, readable by this user alone."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
