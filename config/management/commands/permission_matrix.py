"""``manage.py permission_matrix``: who may do what, line by line."""

from typing import Any

from django.core.management.base import BaseCommand

from config.permission_matrix import as_markdown


class Command(BaseCommand):
    help = "Prints every page, route and command with the role that may use it: the text of docs/permissions.md."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(as_markdown(), ending="")
