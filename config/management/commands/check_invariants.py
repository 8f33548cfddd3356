"""``manage.py check_invariants``: whether the rooms agree with each other."""

from django.core.management.base import BaseCommand, CommandError

from config.invariants import INVARIANTS, broken


class Command(BaseCommand):
    help = "Checks what must hold across the rooms; exits with 1 and names the rows where it does not."

    def handle(self, **options) -> None:
        found = list(broken())
        for invariant, keys in found:
            self.stdout.write(self.style.ERROR(f"BROKEN  {invariant.rule}: {', '.join(keys)}"))
        if found:
            raise CommandError(f"{len(found)} of {len(INVARIANTS)} rules do not hold.")
        self.stdout.write(self.style.SUCCESS(f"All {len(INVARIANTS)} rules hold."))
