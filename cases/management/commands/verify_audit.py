"""``manage.py verify_audit``: prove that the audit trail is as it was sealed, or say where it is not."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases import audit_keys
from cases.errors import CountersignError
from cases.services import sealing
from cases.services.seal_checks import Head, sealed_rows, verify


class Command(BaseCommand):
    help = (
        "Reads every sealed row of the audit trail again and compares it with its seal, the seals with each other "
        "and with their signatures. The exit code is 0 where all holds and 1 where something does not; the first "
        "broken row comes first. An old backup, or a chain made anew with the key, is found only by a head that was "
        "published earlier: name it with --head."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", action="append", default=[], type=Path, metavar="FILE", help="a published head (more than once)"
        )
        parser.add_argument("--keys", type=Path, metavar="FILE", help="trusted public keys, instead of the settings'")
        parser.add_argument(
            "--from-seal", type=int, default=1, metavar="N", help="begin there and trust what is before"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            heads = [Head.load(path.read_text()) for path in options["head"]]
            trusted = audit_keys.read_list(options["keys"].read_text()) if options["keys"] else None
            with tqdm(
                desc="verifying", unit="row", total=sealed_rows(), file=sys.stderr, disable=not sys.stderr.isatty()
            ) as bar:
                report = verify(first=max(1, options["from_seal"]), heads=heads, trusted=trusted, progress=bar.update)
        except CountersignError as error:
            raise CommandError(error.message) from None
        except (OSError, UnicodeDecodeError):
            raise CommandError("A file that was named cannot be read.") from None
        for finding in report.findings:
            self.stdout.write(self.style.ERROR(str(finding)))
        waiting = sealing.unsealed()
        if report.findings:
            more = "or more " if report.is_full else ""
            raise CommandError(
                f"The audit trail does not verify: {len(report.findings)} findings {more}in {report.seals:,} seals."
            )
        here = report.rows - report.removed.total
        self.stdout.write(self.style.SUCCESS(f"{here:,} rows in {report.seals:,} seals are as they were sealed."))
        for words in report.removed.words():
            self.stdout.write(words)
        if not heads:
            self.stdout.write(
                "No published head was given: an old backup in place of this database would look the same."
            )
        if waiting:
            some = f"{waiting:,} or more" if waiting >= sealing.COUNTED else f"{waiting:,}"
            self.stdout.write(f"{some} rows are not sealed yet: nothing proves them.")
