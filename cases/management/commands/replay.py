"""``manage.py replay``: intake payloads from a file, in process or through the API."""

import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.models import Tenant
from cases.permissions import Denied
from cases.replay import CannotReplay, Door, InProcess, OverHttp, read_lines, replay_line, service_account
from cases.replay_report import Tally
from cases.services.audit import keep_denial

TOKEN_VARIABLE = "COUNTERSIGN_TOKEN"
INTERRUPTED = 130  # What shells say of a command that Ctrl-C ended.


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("a whole number from 1 is needed")
    return int(text)


class Command(BaseCommand):
    help = (
        "Send intake payloads, one JSON object a line, into a tenant: in process as its service account, or with --url "
        "through the API. Ends with a table; the exit code is 1 if any line was refused. "
        "A line whose external_id is known already, with the same body, changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.jsonl")
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--url", help="the address of a server, such as http://127.0.0.1:8000")
        parser.add_argument(
            "--token",
            default=os.environ.get(TOKEN_VARIABLE),
            help=f"with --url: an API token of an account of the tenant (default: ${TOKEN_VARIABLE})",
        )
        parser.add_argument("--limit", type=positive, metavar="N", help="only the first N lines")
        parser.add_argument("--as", dest="username", metavar="USER", help="in process: submit as this account")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            if not path.is_file():
                raise CannotReplay(f"There is no file {path}.")
            with _opened(path) as file:
                door = _door(options, self._notify)
                try:
                    self._replay(path, file, door, tenant=options["tenant"], limit=options["limit"])
                finally:
                    door.close()
        except CannotReplay as error:
            raise CommandError(error.message) from None

    def _notify(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def _replay(self, path: Path, file: BinaryIO, door: Door, *, tenant: str, limit: int | None) -> None:
        tally, max_bytes = Tally(), settings.MAX_BODY_BYTES
        ended: BaseException | None = None
        began = time.monotonic()
        total = path.stat().st_size
        with tqdm(total=total, desc=path.name, unit="B", unit_scale=True, file=sys.stderr, disable=None) as bar:
            try:
                for line in read_lines(file, max_bytes=max_bytes, limit=limit):
                    asked = time.perf_counter() - door.waited
                    answer = replay_line(line, door, tenant=tenant, max_bytes=max_bytes)
                    tally.add(line.number, answer, time.perf_counter() - door.waited - asked)
                    bar.update(file.tell() - bar.n)
                    bar.set_postfix(lines=line.number, refused=tally.refused, refresh=False)
            except (CannotReplay, KeyboardInterrupt) as error:
                ended = error
        elapsed = time.monotonic() - began
        self.stdout.write(
            f"{path.name} into {tenant}, {door.name}: {len(tally.seconds):,} lines in {elapsed:.1f} s\n\n"
        )
        self.stdout.write("\n".join(tally.lines(elapsed, door.waited)))
        if isinstance(ended, KeyboardInterrupt):
            self.stdout.write("\nInterrupted: the table shows what was answered until then.")
            sys.exit(INTERRUPTED)
        if ended is not None:
            raise ended
        if tally.refused:
            sys.exit(1)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CannotReplay(f"The file {path} cannot be read: {error.strerror}.") from None


def _door(options: dict[str, Any], notify: Callable[[str], None]) -> Door:
    """Raises ``CannotReplay``."""
    url, token, slug, username = options["url"], options["token"], options["tenant"], options["username"]
    if url:
        if username:
            raise CannotReplay("--as goes without --url: over HTTP the token says who submits.")
        if not token:
            raise CannotReplay(f"--url needs a token: give --token or set {TOKEN_VARIABLE}.")
        return OverHttp(url, token, slug, notify)
    tenant = Tenant.objects.filter(slug=slug, is_active=True).first()
    if tenant is None:
        raise CannotReplay(f"There is no active tenant {slug}.")
    actor = service_account(tenant, username)
    try:
        return InProcess(tenant, actor)
    except Denied as error:
        keep_denial(error)
        raise CannotReplay(f"{actor.username} may not submit cases of {slug}.") from None
