"""Children that are started again when they fall, within bounds."""

from config.processes import Process

LONGEST_DELAY = 30.0  # seconds between two restarts of the same child
STEADY = 60.0  # After so many seconds of running a child's earlier falls are forgotten.
FALLS_ALLOWED = 5  # so many in a row of a child without which there is no demo


class Failed(Exception):
    """The demo cannot go on; the message is one sentence that names the log."""


class Watched:
    """A child and the history of its falls."""

    def __init__(self, process: Process, *, essential: bool) -> None:
        self.process = process
        self.essential = essential
        self.falls = 0
        self.restart_at: float | None = None

    def tend(self, now: float) -> str | None:
        """Notice a fall, or restart when its delay is over. Returns a line for people; raises ``Failed``."""
        process = self.process
        if process.is_running():
            if now - process.started_at > STEADY:
                self.falls = 0
            return None
        if self.restart_at is None:
            self.falls += 1
            if self.essential and self.falls > FALLS_ALLOWED:
                raise Failed(f"{process.name} ended {self.falls} times in a row: see {process.log}.")
            delay = min(LONGEST_DELAY, 0.5 * 2 ** min(self.falls - 1, 10))
            self.restart_at = now + delay
            return f"{process.name} ended (exit code {process.exit_code()}), starts again in {delay:g} s: {process.log}"
        if now >= self.restart_at:
            self.restart_at = None
            process.start()
        return None
