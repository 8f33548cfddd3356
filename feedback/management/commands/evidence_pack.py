"""``manage.py evidence_pack``: an evidence pack from the shell, made here and now, with its progress."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from cases.errors import CountersignError
from cases.models import Tenant
from cases.models.people import system_actor
from cases.wire.fields import AwareDateTimeField

from ...models import EvidencePack
from ...services import evidence_packs, evidence_runs
from ...states import ExportState


class Command(BaseCommand):
    help = (
        "Make a signed evidence pack of a tenant and a window. Ctrl-C leaves a queued pack that a worker takes up. "
        "Check it with `python cases/verify_pack.py PACK.zip --keys KEYS`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--from", required=True, dest="since", metavar="INSTANT", help="2027-05-01T00:00:00Z")
        parser.add_argument("--to", required=True, dest="until", metavar="INSTANT", help="not included")
        parser.add_argument(
            "--seed", default="", help="draws the sample cases; by default random, and told in the pack"
        )
        parser.add_argument("--output", metavar="FILE", help="copy the archive there as well")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant called {options['tenant']}.")
        since, until = _instant(options["since"]), _instant(options["until"])
        try:
            pack = evidence_packs.request(tenant, since=since, until=until, actor=system_actor(), seed=options["seed"])
        except CountersignError as error:
            raise CommandError(error.message) from error
        pack = self._make(pack)
        if output := options["output"]:
            with evidence_packs.download(pack, actor=system_actor()) as file, Path(output).open("wb") as copy:
                for block in iter(lambda: file.read(1 << 20), b""):
                    copy.write(block)
        self.stderr.write(f"{pack}: {pack.rows_written} rows, SHA-256 {pack.sha256}")
        self.stdout.write(pack.wire_id)

    def _make(self, pack: EvidencePack) -> EvidencePack:
        with tqdm(total=pack.sections, unit=" sections", disable=None, file=self.stderr) as bar:

            def progress(running: EvidencePack) -> None:
                bar.update(running.sections_done - bar.n)

            while pack.is_active:
                pack = evidence_runs.run(pack.pk, seconds=evidence_runs.SLICE_SECONDS, progress=progress)
        if pack.state != ExportState.READY:
            raise CommandError(pack.error or f"The pack is {pack.get_state_display().lower()}.")
        return pack


def _instant(text: str) -> datetime:
    try:
        return AwareDateTimeField().run_validation(text)
    except ValidationError as error:
        raise CommandError(f"{text} is no instant with its offset, such as 2027-05-01T00:00:00Z.") from error
