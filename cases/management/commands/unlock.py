"""``manage.py unlock``: let somebody try again who was locked out after too many wrong passwords or codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError
from cases.models import User
from cases.models.people import system_actor
from cases.services.access import unlock


class Command(BaseCommand):
    help = "Forget the wrong tries of an account, from every address. The reason stands in the record of its sign-ins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--reason", required=True, help="why, and who asked for it")

    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=username, kind=User.AccountKind.PERSON).first()
        if user is None:
            raise CommandError(f"There is no person called {username}.")
        try:
            count = unlock(user, actor=system_actor(), reason=reason)
        except CountersignError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Unlocked: wrong tries from {count} address{'es' * (count != 1)} are forgotten.")
