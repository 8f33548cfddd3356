"""Fixtures for all tests."""

import os

import hypothesis
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.postgresql.operations import DatabaseOperations

from tests import servers

# A busy machine is no failure: hypothesis counts examples, not milliseconds.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")

# The triggers that guard a table against its owner too (see ``cases.guards``).
GUARDS = """
    SELECT format('ALTER TABLE %%s %%%%s TRIGGER %%I', tgrelid::regclass, tgname)
    FROM pg_trigger
    WHERE tgenabled = 'A' AND NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)
    ORDER BY tgrelid, tgname
"""
KEPT = {"django_content_type", "auth_permission", "django_migrations"}  # What every migrate makes the same again.


def flush_past_the_guards(operations: DatabaseOperations, sql_list: list[str]) -> None:
    """Django's flush, with the guards of append-only tables off for as long as it takes.

    Tests marked ``django_db(transaction=True)`` really commit, and Django empties the tables after each by TRUNCATE,
    which append-only tables refuse, and which is slow: it makes a new file of each table and index, full or not. Here
    the tables that hold something are emptied by DELETE. This is THE way round for tests: as the owner of the tables,
    within the flush's own transaction, so that no other connection ever sees a table unguarded, and a failing flush
    leaves it guarded. Tests that are not transactional roll back and need nothing. Nothing in the product does this; a
    demo starts over by deleting its whole data folder.
    """
    tables = sorted(
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.db_table not in KEPT
    )
    with transaction.atomic(using=operations.connection.alias), operations.connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in tables))
        full = [name for (name,) in cursor.fetchall()]
        cursor.execute(GUARDS, [full])
        switches = [row[0] for row in cursor.fetchall()]
        for switch in switches:
            cursor.execute(switch % "DISABLE")
        cursor.execute("SET LOCAL session_replication_role = replica")  # In any order, whatever refers to what.
        for name in full:
            cursor.execute(f'DELETE FROM "{name}"')
        cursor.execute("SET LOCAL session_replication_role = origin")
        for switch in switches:
            cursor.execute(switch % "ENABLE ALWAYS")


def pytest_configure() -> None:
    """Passwords that are quick to check: what is slow on purpose in production would be paid at every sign-in here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of few long tests first: two workers then end at about the same time."""
    items.sort(key=lambda item: item.path.parent.name not in ("journeys", "bench"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database begins as a copy of the migrated one, where the servers are ours (see ``tests.servers``)."""
    if "DATABASE_URL" in os.environ.get(servers.STARTED_HERE, ""):
        connections["default"].settings_dict["TEST"]["TEMPLATE"] = servers.MIGRATED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The test database, with a flush that gets past the guards, whichever connection it runs on."""
    DatabaseOperations.execute_sql_flush = flush_past_the_guards
