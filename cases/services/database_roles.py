"""The database role that the application runs as: it owns nothing, and may only add to the audit tables.

An owner of a table can switch its guards off, and so can a superuser; whoever may TRIGGER can add one of their own.
The tables belong to the role that migrates; the application signs in as another one, with the rights that it needs.

To lock a row, PostgreSQL asks for the right to update one of its columns. So the application holds that on the key of
audit tables; the update itself is refused by the guard, which it cannot switch off.
"""

from collections.abc import Iterator

from django.db import connection
from psycopg import sql

from ..errors import CountersignError
from ..history import sealed_models
from ..models import Seal, SealedTable, SealShape

# What the application may do to a table beyond reading it. New tables get what audit tables have, until the next run.
ADD = "SELECT, INSERT"
WORK = "SELECT, INSERT, UPDATE, DELETE"
READ = "SELECT"
READ_ONLY = ("django_migrations",)


class RoleUnfit(CountersignError):
    code = "role_unfit"
    title = "This database role cannot be the application's"


def audit_tables() -> dict[str, str]:
    """Every table that the application may only add to, with its key: those that are sealed, and the seals."""
    found = [*sealed_models(), Seal, SealedTable, SealShape]
    return {model._meta.db_table: model._meta.pk.column for model in found}


def statements(role: str, *, password: str = "") -> Iterator[sql.Composed]:
    """What makes ``role`` the application's, whatever it was allowed before; for the tables' owner, in one transaction.

    Raises ``RoleUnfit`` for the owner itself, a superuser, or a member of either.
    """
    name = sql.Identifier(role)
    exists = _require_fit(role)
    login = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
    if not exists:
        yield sql.SQL("CREATE ROLE {} {}").format(name, login)
    if password:
        yield sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_schema()")
        database, schema = map(sql.Identifier, cursor.fetchone())
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
        tables = [table for (table,) in cursor.fetchall()]
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name)
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(schema, name)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name)
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM PUBLIC, {}").format(schema, name)
    guarded = audit_tables()
    for table in tables:
        rights = READ if table in READ_ONLY else ADD if table in guarded else WORK
        yield sql.SQL("GRANT {} ON {}.{} TO {}").format(sql.SQL(rights), schema, sql.Identifier(table), name)
        if table in guarded:
            to_lock = sql.SQL("GRANT UPDATE ({}) ON {}.{} TO {}")
            yield to_lock.format(sql.Identifier(guarded[table]), schema, sql.Identifier(table), name)
    yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, name)
    future = sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT {} TO {}")
    yield future.format(schema, sql.SQL(f"{ADD} ON TABLES"), name)
    yield future.format(schema, sql.SQL("USAGE, SELECT ON SEQUENCES"), name)


def _require_fit(role: str) -> bool:
    """Whether the role is there already."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls OR EXISTS (
                   SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                      AND pg_has_role(r.oid, relowner, 'MEMBER'))
               FROM pg_roles r WHERE rolname = %s""",
            [role],
        )
        found = cursor.fetchone()
    if found and found[0]:
        raise RoleUnfit(f"{role} owns tables, or may make itself their owner: name another role. Nothing was changed.")
    return found is not None


def owns_the_audit_tables() -> bool:
    """Whether the role of this connection may put their guards aside, as their owner."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class
               WHERE oid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) name)""",
            [list(audit_tables())],
        )
        return bool(cursor.fetchone()[0])


def what_the_application_could() -> list[str]:
    """How the role of this connection could alter an audit table, in words; nothing is as it should be."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT bool_or(me.rolsuper), bool_or(pg_has_role(c.relowner, 'MEMBER')),
                      bool_or(has_table_privilege(c.oid, 'TRIGGER')), bool_or(has_table_privilege(c.oid, 'TRUNCATE')),
                      bool_or(has_table_privilege(c.oid, 'UPDATE')), bool_or(has_table_privilege(c.oid, 'DELETE'))
               FROM pg_class c, pg_roles me
               WHERE me.rolname = current_user
                 AND c.oid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) name)""",
            [list(audit_tables())],
        )
        answers = cursor.fetchone()
    words = ("is a superuser", "owns them", "may add triggers", "may truncate", "may update", "may delete")
    return [said for said, is_so in zip(words, answers, strict=True) if is_so]
