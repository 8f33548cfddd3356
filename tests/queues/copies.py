"""Many waiting cases at once: copies by SQL, past the services, which take them in one by one."""

from django.db import connection, transaction

from queues.models import Entry


def multiply(case, times: int) -> None:
    """Copies of ``case`` with its entry, by SQL and past the services: many cases are slow to take in one by one."""
    tables = ("cases_case", "queues_entry")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE copies AS SELECT gen_random_uuid() AS case_id, gen_random_uuid() AS content_id, "
            "gen_random_uuid() AS draft_content_id, gen_random_uuid() AS draft_id, gen_random_uuid() AS entry_id "
            "FROM generate_series(1, %s)",
            [times],
        )
        copy(cursor, "cases_content", {"id": "content_id", "case_id": "copies.case_id"}, case.content_id)
        copy(
            cursor,
            "cases_content",
            {"id": "draft_content_id", "case_id": "copies.case_id"},
            case.current_draft.content_id,
        )
        own = {"id": "copies.case_id", "content_id": "copies.content_id", "current_draft_id": "copies.draft_id"}
        copy(cursor, tables[0], own, case.pk)
        own = {"id": "copies.draft_id", "case_id": "copies.case_id", "content_id": "copies.draft_content_id"}
        copy(cursor, "cases_draft", own, case.current_draft_id)
        copy(
            cursor,
            tables[1],
            {"id": "copies.entry_id", "case_id": "copies.case_id"},
            Entry.objects.get(case=case).pk,
        )
        cursor.execute("DROP TABLE copies")


def copy(cursor, table: str, own: dict[str, str], key) -> None:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'", [table]
    )
    columns = [row[0] for row in cursor.fetchall()]
    values = ", ".join(own.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} t, copies WHERE t.id = %s", [key])
