"""``manage.py token``: an API token from the shell."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cases.errors import CountersignError
from cases.models import User
from cases.models.people import system_actor
from cases.services.people import LONGEST_TOKEN_LIFE, TOKEN_LIFE, issue_token


class Command(BaseCommand):
    help = (
        "Issue an API token for an account and print it, once: only its digest is kept. "
        "The token alone goes to the standard output, so that it can be piped into a secret store."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument(
            "--days",
            type=int,
            default=TOKEN_LIFE.days,
            metavar="N",
            help=f"how long it works (default: {TOKEN_LIFE.days}, at most {LONGEST_TOKEN_LIFE.days})",
        )

    def handle(self, *args: Any, username: str, days: int, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        if not 1 <= days <= LONGEST_TOKEN_LIFE.days:
            raise CommandError(f"--days is {days}: choose 1 to {LONGEST_TOKEN_LIFE.days}.")
        try:
            token = issue_token(user, actor=system_actor(), life=timedelta(days=days))
        except CountersignError as error:
            raise CommandError(error.message) from error
        self.stderr.write(f"A token of {username}, for {days} days. It is not shown again.", self.style.NOTICE)
        self.stdout.write(token)
