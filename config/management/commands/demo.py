import os
import sys
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config import servers
from config.demo_folder import Refused
from config.embedded import CannotStart
from config.supervisor import Options, Supervisor
from config.watched import Failed


class Command(BaseCommand):
    help = (
        "Run the whole demo: servers, demo world, web, worker and beat, until Ctrl-C. "
        "DATABASE_URL and REDIS_URL, where they are set, are used in place of servers of its own."
    )
    # The children check, once there is a database to check against.
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where the web server listens; 0 takes a free one")
        parser.add_argument(
            "--data", type=Path, default=servers.data_dir(os.environ), help="the data folder (default: %(default)s)"
        )
        parser.add_argument("--fresh", action="store_true", help="delete the data folder's contents first")
        parser.add_argument("--ready-file", type=Path, help="write addresses and accounts there, as JSON, once ready")

    def handle(self, *args: Any, **options: Any) -> None:
        ready_file: Path | None = options["ready_file"]
        if ready_file and not ready_file.absolute().parent.is_dir():
            sys.exit(f"The ready file {ready_file} cannot be written: its folder does not exist.")
        try:
            Supervisor(
                Options(options["port"], options["data"], options["fresh"], ready_file and ready_file.absolute()),
                self.say,
            ).run()
        except (Refused, Failed, CannotStart) as error:
            sys.exit(str(error))

    def say(self, line: str) -> None:
        with suppress(OSError):  # The reader may be gone, as in `make demo | head`: that is no reason to stop badly.
            print(line, flush=True)
