"""The demo's accounts: made once per installation, with random passwords, and kept in a file of the data folder."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from cases.models import Tenant, User
from cases.models.people import system_actor
from cases.services import people
from config.demo.tenants import Person, Plan
from config.demo_folder import write_privately

PLATFORM_ADMIN = "platform_admin"  # A superuser: no role of a tenant.
ADMINISTRATOR = "olga"
TOKEN_LIFE = timedelta(days=365)
ITERATIONS = 20_000

# 95 words: three of them and four digits are 33 bits, behind a lockout.
_WORDS = """
    amber apple april arrow aspen autumn badge baker basil beach birch bloom board brick bridge
    brook cabin camel candle canoe cedar chalk cherry cloud clover coast copper coral cotton crane
    cycle daisy delta dune eagle ember fabric falcon fern field flint forest frost garden ginger
    globe grain grape harbor hazel heron honey island ivory jasper juniper kettle lake lemon lilac
    linen lunar maple marble meadow melon mint moss nickel north oasis ocean olive orbit otter paper
    pear pebble pepper pine planet plum pollen quartz quiet raven reed river robin saddle sage shell
    silver spruce stone
"""


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
    words = [secrets.choice(_WORDS.split()) for _ in range(3)]
    return "-".join([*words, f"{secrets.randbelow(10_000):04}"])


def _hash(password: str) -> str:
    """Quick, since the password itself stands in the accounts file beside; Django strengthens it at first sign-in."""
    hasher = PBKDF2PasswordHasher()
    return hasher.encode(password, hasher.salt(), iterations=ITERATIONS)


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
    User.objects.bulk_create(users)
    return {user.username: user for user in users}


def issue(accounts: Iterable[Account], plans: Iterable[Plan]) -> dict[str, Any]:
    """Give everybody a new password and a new token; returns what the accounts file holds."""
    accounts, plans = list(accounts), list(plans)
    tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=[plan.slug for plan in plans])}
    names = [*(account.username for account in accounts), *(plan.service for plan in plans)]
    users = User.objects.in_bulk(names, field_name="username")
    passwords = {account.username: new_password() for account in accounts}
    for username, password in passwords.items():
        users[username].password = _hash(password)
    User.objects.bulk_update([users[username] for username in passwords], ["password"])

    def token(username: str, slug: str | None) -> str:
        tenant = tenants.get(slug) or tenants[plans[0].slug]
        return people.issue_token(users[username], actor=system_actor(), tenant=tenant, life=TOKEN_LIFE)

    return {
        "users": {
            account.username: {
                "password": passwords[account.username],
                "token": token(account.username, account.tenant),
                "role": account.role,
                "tenant": account.tenant,
            }
            for account in accounts
        },
        "tenants": {plan.slug: {"token": token(plan.service, plan.slug)} for plan in plans},
    }


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
