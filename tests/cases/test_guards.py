"""What the database itself refuses: edits of every append-only table, whoever asks and however."""

import importlib
import pkgutil

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from simple_history.models import HistoricalChanges

ROOMS = ("cases", "queues", "approvals", "feedback")
OWN_MODELS = [model for room in ROOMS for model in apps.get_app_config(room).get_models()]


def is_append_only(model) -> bool:
    return issubclass(model, HistoricalChanges) or (model.__doc__ or "").startswith("Append-only")


APPEND_ONLY = sorted(model._meta.db_table for model in OWN_MODELS if is_append_only(model))


def listed() -> set[str]:
    """The tables that the migrations of all rooms guard."""
    tables: set[str] = set()
    for room in ROOMS:
        package = importlib.import_module(f"{room}.migrations")
        for module in pkgutil.iter_modules(package.__path__):
            tables |= set(getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "APPEND_ONLY", ()))
    return tables


def refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        assert "is append-only" in str(error), error
        return True
    return False


@pytest.mark.django_db
def test_every_history_and_every_append_only_model_has_its_trigger_and_nothing_else_has_one():
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT tgrelid::regclass::text, tgenabled::text FROM pg_trigger
               WHERE tgname = 'append_only' AND NOT tgisinternal"""
        )
        guarded = dict(cursor.fetchall())
    assert sorted(guarded) == APPEND_ONLY
    assert set(guarded.values()) == {"A"}, "a trigger that is not ENABLE ALWAYS steps aside for a replication role"


def test_the_migrations_list_exactly_the_append_only_tables():
    assert sorted(listed()) == APPEND_ONLY


def test_the_tables_that_the_design_calls_append_only_are_among_them():
    assert {
        "cases_draft",
        "cases_caseevent",
        "cases_policyversion",
        "cases_denial",
        "cases_rulefailure",
        "cases_historicalcase",
        "queues_passage",
        "feedback_review",
        "approvals_historicalproposedaction",
    } <= set(APPEND_ONLY)


@pytest.mark.django_db
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_refuses_update_delete_and_truncate(table):
    column = next(model for model in OWN_MODELS if model._meta.db_table == table)._meta.pk.column
    for statement in (
        f'UPDATE "{table}" SET "{column}" = "{column}"',
        f'DELETE FROM "{table}"',
        f'TRUNCATE "{table}" CASCADE',
    ):
        assert refused(statement), statement


@pytest.mark.django_db
def test_a_cascade_from_another_table_is_refused_too():
    assert refused("TRUNCATE cases_case CASCADE")
    assert refused("TRUNCATE cases_tenant CASCADE")


@pytest.mark.django_db
def test_a_replication_role_does_not_pass():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    assert refused("DELETE FROM cases_caseevent")


@pytest.mark.django_db
def test_no_session_variable_makes_a_guard_step_aside():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL pgtrigger.ignore = '{cases_caseevent:append_only}'")
    assert refused("DELETE FROM cases_caseevent")
