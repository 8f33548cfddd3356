"""``manage.py export_dataset``: an export from the shell, made here and now, with its progress."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from cases.errors import CountersignError
from cases.ids import from_wire
from cases.models import Tenant, User
from cases.models.people import system_actor
from cases.wire.fields import AwareDateTimeField

from ...datasets.filters import Agreement, Filters
from ...datasets.splits import Split
from ...formats import FORMATS
from ...kinds import Kind
from ...labels import Label
from ...models import DatasetVersion, Export
from ...services import export_runs, exports
from ...states import ExportState


class Command(BaseCommand):
    help = (
        "Export a tenant's labelled corrections, or with --reproduce make a frozen version again and compare. "
        "Ctrl-C leaves a queued export that a worker takes up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", nargs="?", metavar="TENANT", help="its slug")
        parser.add_argument("kind", nargs="?", choices=Kind.values, metavar="KIND", help=", ".join(Kind.values))
        parser.add_argument("--format", default="jsonl", choices=list(FORMATS), metavar="FORMAT")
        parser.add_argument("--dataset", default="", metavar="NAME", help="by default the kind's")
        parser.add_argument("--domain", default="")
        parser.add_argument("--since", metavar="INSTANT", help="reviews from, such as 2027-05-01T00:00:00Z")
        parser.add_argument("--until", metavar="INSTANT", help="reviews before")
        parser.add_argument("--label", choices=Label.values)
        parser.add_argument("--agreement", choices=Agreement.values)
        parser.add_argument("--split", choices=Split.values)
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="who asks; by default the system")
        parser.add_argument("--output", metavar="FILE", help="copy the file there as well")
        parser.add_argument("--reproduce", metavar="VERSION", help="make dsv_… again, to --output, and compare")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["reproduce"]:
            return self._reproduce(options["reproduce"], options["output"])
        if not options["tenant"] or not options["kind"]:
            raise CommandError("Say which TENANT and which KIND.")
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant called {options['tenant']}.")
        actor = _person(options["username"])
        try:
            export = exports.request(
                tenant,
                kind=Kind(options["kind"]),
                format=options["format"],
                filters=_filters(options),
                name=options["dataset"],
                actor=actor,
            )
        except CountersignError as error:
            raise CommandError(error.message) from error
        return self._make(export, actor, options["output"])

    def _make(self, export: Export, actor: User, output: str | None) -> None:
        """A slice at a time, so that Ctrl-C costs what was written since the last one and no more."""
        with tqdm(unit=" rows", disable=None, file=self.stderr) as bar:

            def progress(running: Export) -> None:
                bar.total = running.rows_expected
                bar.update(running.rows_read - bar.n)

            while export.is_active:
                export = export_runs.run(export.pk, seconds=export_runs.SLICE_SECONDS, progress=progress)
        if export.state != ExportState.READY:
            raise CommandError(export.error or f"The export is {export.get_state_display().lower()}.")
        manifest = export.version.document
        self.stderr.write(f"{export.version}: {export.rows_written} lines, SHA-256 {manifest['files'][0]['sha256']}")
        if output:
            with exports.download(export, actor=actor) as file, Path(output).open("wb") as copy:
                for block in iter(lambda: file.read(1 << 20), b""):
                    copy.write(block)
        self.stdout.write(export.wire_id)

    def _reproduce(self, wire_id: str, output: str | None) -> None:
        key = from_wire(DatasetVersion.PREFIX, wire_id)
        version = DatasetVersion.objects.select_related("tenant", "dataset").filter(pk=key).first() if key else None
        if version is None:
            raise CommandError("There is no such version.")
        if not output:
            raise CommandError("Say where to write it: --output FILE.")
        if not export_runs.reproduce(version, Path(output)):
            raise CommandError("It differs: a case was erased, withdrawn or reopened since, and is missing now.")
        self.stdout.write("The same, byte for byte.")


def _person(username: str | None) -> User:
    if not username:
        return system_actor()
    if user := User.objects.filter(username=username).first():
        return user
    raise CommandError(f"There is no account called {username}.")


def _filters(options: dict[str, Any]) -> Filters:
    return Filters(
        domain=options["domain"],
        since=_instant(options["since"]),
        until=_instant(options["until"]),
        label=Label(options["label"]) if options["label"] else None,
        agreement=Agreement(options["agreement"]) if options["agreement"] else None,
        split=Split(options["split"]) if options["split"] else None,
    )


def _instant(text: str | None) -> Any:
    try:
        return AwareDateTimeField().run_validation(text) if text else None
    except ValidationError as error:
        raise CommandError(f"{text} is no instant with its offset, such as 2027-05-01T00:00:00Z.") from error
