"""Processes that the demo and the tests start: each in its own session, and none outlives its parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)


def process_started(pid: int) -> str | None:
    """When process ``pid`` started, as an opaque word, or None if there is none or only its zombie.

    A process id is reused, and after a reboot soon; together with this word it names one process for ever.
    """
    try:
        # The command in parentheses may hold blanks and parentheses itself: what follows the last one is fixed.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True).stdout
    state, _, started = shown.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def end_process(pid: int, signals: Sequence[tuple[int, float]]) -> None:
    """Send each signal to a process that is no child of ours, until one has ended it within its seconds; SIGKILL
    goes to the whole group that it leads."""
    started = process_started(pid)
    for number, seconds in signals:
        if started is None or process_started(pid) != started:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL and os.getpgid(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while process_started(pid) == started and time.monotonic() < deadline:
            time.sleep(0.05)


@dataclass
class Process:
    """One child process, its log, and how it is stopped.

    ``stop_signals`` are (signal, seconds to wait for its effect), the gentlest first; SIGKILL to the whole process
    group follows by itself. ``death_signal`` is what the kernel sends when the parent dies without stopping it
    (Linux only). ``user`` is a (user id, group id) to run as, for a parent that is root.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    folder: Path | None = None
    user: tuple[int, int] | None = None
    stop_signals: Sequence[tuple[int, float]] = ((signal.SIGTERM, 5.0),)
    death_signal: int = signal.SIGTERM
    started_at: float = field(default=0.0, init=False)  # monotonic seconds
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        user = {} if self.user is None else {"user": self.user[0], "group": self.user[1], "extra_groups": ()}
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops them in their order.
                preexec_fn=_dies_with_parent(self.death_signal),
                **user,
            )
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    def is_running(self) -> bool:
        """Whether it is alive; noticing its end also ends whatever is left of its group."""
        if self._child is None or self._child.returncode is not None:
            return False
        if self._child.poll() is None:
            return True
        # At this moment and never later: once reaped, its number is free to become another program's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        return False

    def exit_code(self) -> int | None:
        """As ``subprocess`` counts: negative for a signal; None while it runs."""
        return None if self._child is None else self._child.poll()

    def stop(self) -> None:
        """End the process and its group; does nothing to one that is not running."""
        for number, seconds in (*self.stop_signals, (signal.SIGKILL, 30.0)):
            if not self.is_running():
                return
            os.kill(self.pid, number)
            deadline = time.monotonic() + seconds
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.02)


def _dies_with_parent(number: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()  # Looked up before the fork: the child must not allocate much.

    def arrange() -> None:
        # Runs after the change of user, which would clear the setting.
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # It died between the fork and the line above.
            os._exit(1)

    return arrange
