"""``manage.py roles``: what each role may do."""

from django.core.management.base import BaseCommand

from cases.models import Tenant
from cases.permissions import QUEUE_RIGHTS, TENANT_RIGHTS
from cases.services.members import sync_role_rights
from cases.vocabulary import Role


class Command(BaseCommand):
    help = "Prints the permission matrix; with --sync brings every tenant's role groups in step with it."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--sync", action="store_true", help="grant what is missing, revoke what is too much")

    def handle(self, *, sync: bool, **options) -> None:
        words = dict(Tenant._meta.permissions) | {
            "work_queue": "Take and decide cases",
            "supervise_queue": "Supervise queues",
        }
        rights = list(words)
        width = max(len(words[right]) for right in rights)
        self.stdout.write(" " * width + "  " + "  ".join(role.value for role in Role))
        for right in rights:
            marks = (
                ("yes" if right in TENANT_RIGHTS[role] | QUEUE_RIGHTS.get(role, frozenset()) else "-").center(
                    len(role.value)
                )
                for role in Role
            )
            self.stdout.write(f"{words[right]:<{width}}  " + "  ".join(marks))
        self.stdout.write(
            "A platform admin is a superuser and may do all of it in every tenant; four-eyes rules hold for them too."
        )
        if sync:
            changed = sync_role_rights()
            self.stdout.write(self.style.SUCCESS(f"{changed} rights granted or revoked."))
