"""A worker that dies where it is told to: ``python -m tests.approvals.crashing``.

Reads one line for each worker wanted, the name of the place where it kills itself with SIGKILL or ``-``; forks a
process, says its id, waits for a second line, and lets it do what is due until nothing is; then says how it ended. The
functions of the product run unchanged; only the end of the process is put before or after them.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django


def kill_before(module: Any, name: str) -> None:
    def dying(*args: Any, **kwargs: Any) -> None:
        die()

    setattr(module, name, dying)


def kill_after(module: Any, name: str) -> None:
    function: Callable = getattr(module, name)

    def dying(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        die()

    setattr(module, name, dying)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str) -> None:
    """Let this process die at ``place``."""
    from approvals.services import dispatch, previews

    match place:
        case "-" | "server":
            pass
        case "before the preview is stored":
            kill_before(previews, "_store")
        case "before the claim commits":
            kill_before(dispatch, "_claimed")
        case "after the claim commits":
            kill_before(dispatch, "_execute")
        case "after the answer":
            kill_before(dispatch, "settle")
        case "before the result commits":
            kill_after(dispatch, "conclude")
        case "after the result commits":
            kill_after(dispatch, "settle")
        case "before a look-up":
            kill_before(dispatch, "_look_up")
        case "before it is sent again":
            kill_before(dispatch, "_sent_again")
        case _:
            raise ValueError(place)


def main() -> None:
    django.setup()
    from approvals.services import work

    for line in sys.stdin:
        wait_end, go_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(wait_end, 1)
            arm(line.strip())
            while work.run_next():
                pass
            os._exit(0)
        print(pid, flush=True)
        sys.stdin.readline()  # Whoever asked knows the process now.
        os.write(go_end, b"!")
        _, status = os.waitpid(pid, 0)
        os.close(wait_end)
        os.close(go_end)
        print("killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main()
