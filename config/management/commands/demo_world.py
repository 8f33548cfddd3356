from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from config.demo import world


class Command(BaseCommand):
    help = "Load the demo world into an empty database, once, and write its accounts to a file for this user alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", type=Path, required=True, help="JSON: users and tenants with their secrets")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["accounts"].absolute()
        if not path.parent.is_dir():
            raise CommandError(f"The accounts file {path} cannot be written: its folder does not exist.")
        with tqdm(desc="Demo world", unit="step", file=self.stderr, disable=None) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                is_new = world.load(path, progress=progress)
            except world.CannotLoad as error:
                raise CommandError(error.message) from None
        self.stdout.write(f"{'Loaded' if is_new else 'Kept'} the demo world; its accounts are in {path}.")
