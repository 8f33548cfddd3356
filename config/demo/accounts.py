"""The demo's accounts: made once per installation, with random passwords, and kept in a file of the data folder."""

import json
import secrets
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password

from cases.models import Tenant, User
from cases.models.people import system_actor
from cases.services import people
from config.demo.tenants import Person, Plan
from config.demo_folder import write_privately

PLATFORM_ADMIN = "platform_admin"  # A superuser: no role of a tenant.
ADMINISTRATOR = "olga"
TOKEN_LIFE = timedelta(days=365)

# 96 words of four to six letters: three of them and four digits are 33 bits, behind a lockout.
_WORDS = (
    "amber apple april arrow aspen autumn badge baker basil beach birch bloom board brick bridge brook "
    "cabin camel candle canoe cedar chalk cherry cloud clover coast copper coral cotton crane cycle daisy "
    "delta dune eagle ember fabric falcon fern field flint forest frost garden ginger globe grain grape "
    "harbor hazel heron honey island ivory jasper juniper kettle lake lemon lilac linen lunar maple marble "
    "meadow melon mint moss nickel north oasis ocean olive orbit otter paper pear pebble pepper pine "
    "planet plum pollen quartz quiet raven reed river robin saddle sage shell silver spruce stone"
).split()


@dataclass(frozen=True)
class Account:
    """``role`` and ``tenant`` as the accounts file names them; ``tenant`` is None for the platform's administrator."""

    username: str
    first_name: str
    last_name: str
    role: str
    tenant: str | None

    @property
    def email(self) -> str:
        return f"{self.username}@{self.tenant or 'platform'}.example"


def people_of(plans: Iterable[Plan]) -> list[Account]:
    """Everybody who can sign in."""
    found = [_account(person, plan) for plan in plans for person in plan.people]
    return [*found, Account(ADMINISTRATOR, "Olga", "Sommer", PLATFORM_ADMIN, None)]


def _account(person: Person, plan: Plan) -> Account:
    return Account(person.username, person.first_name, person.last_name, person.role.value, plan.slug)


def new_password() -> str:
    """Three words and four digits, such as ``maple-otter-quartz-4071``."""
    words = [secrets.choice(_WORDS) for _ in range(3)]
    return "-".join([*words, f"{secrets.randbelow(10_000):04}"])


class Credentials:
    """Passwords with their hashes on the way: hashing takes a fifth of a second each, beside the loading of cases."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.passwords = {account.username: new_password() for account in accounts}
        pool = ThreadPoolExecutor(max_workers=1)
        self._hashes: dict[str, Future[str]] = {
            username: pool.submit(make_password, password) for username, password in self.passwords.items()
        }
        pool.shutdown(wait=False)

    def set_passwords(self) -> None:
        """Wait for the hashes and store them."""
        users = list(User.objects.filter(username__in=self._hashes))
        for user in users:
            user.password = self._hashes[user.username].result()
        User.objects.bulk_update(users, ["password"])


def create_users(accounts: Iterable[Account], plans: Iterable[Plan], *, joined: datetime) -> dict[str, User]:
    """Everybody and each tenant's service account, without passwords yet; by username."""
    users = [
        User(
            username=account.username,
            first_name=account.first_name,
            last_name=account.last_name,
            email=account.email,
            is_staff=True,
            is_superuser=account.role == PLATFORM_ADMIN,
        )
        for account in accounts
    ]
    users += [
        User(username=plan.service, first_name=f"{plan.name} assistant", kind=User.AccountKind.SERVICE)
        for plan in plans
    ]
    for user in users:
        user.date_joined = joined
        user.set_unusable_password()
        user.save(force_insert=True)
    return {user.username: user for user in users}


def issue(accounts: Iterable[Account], plans: Iterable[Plan], credentials: Credentials) -> dict[str, Any]:
    """Give everybody their password and a token; returns what the accounts file holds."""
    plans = list(plans)
    tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=[plan.slug for plan in plans])}
    users = User.objects.in_bulk(field_name="username")

    def token(username: str, slug: str | None) -> str:
        tenant = tenants.get(slug) or tenants[plans[0].slug]
        return people.issue_token(users[username], actor=system_actor(), tenant=tenant, life=TOKEN_LIFE)

    document = {
        "users": {
            account.username: {
                "password": credentials.passwords[account.username],
                "token": token(account.username, account.tenant),
                "role": account.role,
                "tenant": account.tenant,
            }
            for account in accounts
        },
        "tenants": {plan.slug: {"token": token(plan.service, plan.slug)} for plan in plans},
    }
    credentials.set_passwords()
    return document


def read(path: Path) -> Mapping[str, Any] | None:
    """What an earlier run wrote at ``path``, or None where there is nothing that can be read."""
    try:
        document = json.loads(path.read_text())
        return document if {"users", "tenants"} <= set(document) else None
    except (OSError, ValueError, TypeError):
        return None


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Readable by this user alone, and complete or not there at all."""
    write_privately(path, json.dumps(document, indent=2) + "\n")
