"""One sweep over all that waits by hand, as the beat would have it run."""

from typing import Any

from django.core.management.base import BaseCommand

from queues.services.sweeping import sweep


class Command(BaseCommand):
    help = (
        "Return lost leases and what is set aside, end questions that nobody answered, mark missed deadlines and take "
        "the due steps of every SLA, once, now."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = sweep()
        swept = done.deadlines
        steps = ", ".join(f"{count} × {kind.label}" for kind, count in swept.steps.items()) or "none"
        self.stdout.write(
            f"Leases returned: {done.leases}\n"
            f"Questions lapsed: {done.questions}\n"
            f"Kept cases returned: {done.kept}\n"
            f"Skipped cases offered again: {done.passed}\n"
            f"Entries looked at: {swept.looked_at}\n"
            f"Deadlines newly missed: {swept.missed}\n"
            f"Moved to another queue: {swept.moved}\n"
            f"Steps taken: {steps}"
        )
