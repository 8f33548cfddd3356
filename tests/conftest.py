"""Fixtures for all tests."""

import os

import hypothesis
import pytest
from django.db import connections, transaction
from django.db.backends.postgresql.operations import DatabaseOperations

from tests import servers

# A busy machine is no failure: hypothesis counts examples, not milliseconds.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")

# What every trigger that guards an append-only table is called (see ``cases.guards``).
APPEND_ONLY_TRIGGERS = """
    SELECT format('ALTER TABLE %s %%s TRIGGER %I', tgrelid::regclass, tgname)
    FROM pg_trigger
    WHERE tgname LIKE 'append\\_only%' AND NOT tgisinternal
    ORDER BY tgrelid, tgname
"""


def flush_past_the_guards(operations: DatabaseOperations, sql_list: list[str]) -> None:
    """Django's flush, with the guards of append-only tables off for as long as it takes.

    Tests marked ``django_db(transaction=True)`` really commit, and Django empties the tables after each by TRUNCATE,
    which append-only tables refuse. This is THE way round for tests: as the owner of the tables, within the flush's
    own transaction, so that no other connection ever sees a table unguarded, and a failing flush leaves it guarded.
    Tests that are not transactional roll back and need nothing. Nothing in the product does this; a demo starts
    over by deleting its whole data folder.
    """
    with transaction.atomic(using=operations.connection.alias), operations.connection.cursor() as cursor:
        cursor.execute(APPEND_ONLY_TRIGGERS)
        switches = [row[0] for row in cursor.fetchall()]
        for switch in switches:
            cursor.execute(switch % "DISABLE")
        for sql in sql_list:
            cursor.execute(sql)
        for switch in switches:
            cursor.execute(switch % "ENABLE ALWAYS")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database begins as a copy of the migrated one, where the servers are ours (see ``tests.servers``)."""
    if "DATABASE_URL" in os.environ.get(servers.STARTED_HERE, ""):
        connections["default"].settings_dict["TEST"]["TEMPLATE"] = servers.MIGRATED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The test database, with a flush that gets past the guards, whichever connection it runs on."""
    DatabaseOperations.execute_sql_flush = flush_past_the_guards
