"""``manage.py audit_key``: make the key that signs seals, or show the public keys that are trusted."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases import audit_keys


class Command(BaseCommand):
    help = (
        "Makes an Ed25519 key for AUDIT_SIGNING_KEY in FILE, for its owner's eyes alone, and adds its public key to "
        "the list FILE.trusted beside it. Without FILE shows the list of trusted public keys, to be kept elsewhere too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where the private key is to stand")
        parser.add_argument(
            "--replace", action="store_true", help="keep the present key as retired and begin a new one"
        )

    def handle(self, *args: Any, file: Path | None, replace: bool, **options: Any) -> None:
        try:
            if file is None:
                for public in audit_keys.trusted_keys().values():
                    self.stdout.write(audit_keys.line_of(public))
                return
            public = audit_keys.make(file, replace=replace)
        except audit_keys.KeyUnusable as error:
            raise CommandError(error.message) from None
        except OSError as error:
            raise CommandError(f"The key could not be written: {error.strerror}.") from None
        self.stdout.write(
            f"Set AUDIT_SIGNING_KEY to {file} where seals are made, and keep this public key elsewhere too:"
        )
        self.stdout.write(audit_keys.line_of(public))
