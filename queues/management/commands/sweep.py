"""One sweep over leases and deadlines by hand, as the beat would have it run."""

from typing import Any

from django.core.management.base import BaseCommand

from queues.services.claims import return_lost
from queues.services.deadlines import sweep_deadlines


class Command(BaseCommand):
    help = "Return lost leases, mark missed deadlines and take the due steps of every SLA, once, now."

    def handle(self, *args: Any, **options: Any) -> None:
        returned = return_lost()
        swept = sweep_deadlines()
        steps = ", ".join(f"{count} × {kind.label}" for kind, count in swept.steps.items()) or "none"
        self.stdout.write(
            f"Leases returned: {returned}\n"
            f"Entries looked at: {swept.looked_at}\n"
            f"Deadlines newly missed: {swept.missed}\n"
            f"Moved to another queue: {swept.moved}\n"
            f"Steps taken: {steps}"
        )
