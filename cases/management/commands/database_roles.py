"""``manage.py database_roles``: make the role that the application runs as, and give it what it needs and no more."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.utils import DatabaseError

from cases.errors import CountersignError
from cases.services import database_roles

PASSWORD = "RUNTIME_DATABASE_PASSWORD"


class Command(BaseCommand):
    help = (
        "Run as the role that owns the tables, after every migrate: makes ROLE if it is not there, and gives it the "
        "rights that the application needs: to work on its tables, and only to add to the audit tables. May be run "
        f"again at any time. The role's password, if any, is read from {PASSWORD}."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", metavar="ROLE", nargs="?", help="the role that DATABASE_URL names for real")
        parser.add_argument("--dry-run", action="store_true", help="print the SQL and change nothing")
        parser.add_argument("--check", action="store_true", help="say what this connection could do to audit tables")

    def handle(self, *args: Any, role: str | None, dry_run: bool, check: bool, **options: Any) -> None:
        if check:
            return self._check()
        if not role:
            raise CommandError("Name the role that the application is to run as.")
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                password = os.environ.get(PASSWORD, "")
                for statement in database_roles.statements(role, password=password):
                    text = statement.as_string(cursor.connection)
                    if dry_run:
                        self.stdout.write(f"{text.replace(password, '********') if password else text};")
                    else:
                        cursor.execute(text)
        except CountersignError as error:
            raise CommandError(error.message) from None
        except DatabaseError as error:
            said = str(error).strip().splitlines()[0]
            raise CommandError(f"The database refused ({said}): run this as the owner of the tables.") from None
        if not dry_run:
            count = len(database_roles.audit_tables())
            self.stdout.write(self.style.SUCCESS(f"{role} works on the tables and only adds to {count} audit tables."))
        return None

    def _check(self) -> None:
        found = database_roles.what_the_application_could()
        if found:
            raise CommandError(f"This role could alter the audit tables: it {', '.join(found)}.")
        self.stdout.write(self.style.SUCCESS("This role can add to the audit tables and not alter them."))
