"""What the database itself refuses, as SQL for migrations: edits of append-only tables and illegal state changes.

Plain triggers and not django-pgtrigger's: those step aside for anybody who sets a session variable. These are
``ENABLE ALWAYS``, so that a replication role does not pass them either; only the table's owner can disable them,
and the runtime role of production owns nothing. Tests flush through ``tests/conftest.py``.
"""

from collections.abc import Iterable

from django.db.migrations import RunSQL

from .states import Move, legal_moves


def append_only(table: str) -> RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on ``table``, whoever asks and however."""
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END $$;
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
        ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER append_only;
        """,
        reverse_sql=f'DROP TRIGGER append_only ON "{table}";',
    )


def by_time(history_table: str) -> RunSQL:
    """Indexes for a history table that grows with the work: a tenant's changes and a person's, newest first.

    Read by the audit trail. Not for configuration, whose history stays small."""
    return RunSQL(
        f"""
        CREATE INDEX "{history_table}_by_time" ON "{history_table}" (tenant_id, history_date DESC, history_id DESC);
        CREATE INDEX "{history_table}_by_person"
            ON "{history_table}" (history_user_id, history_date DESC, history_id DESC);
        """,
        reverse_sql=f'DROP INDEX "{history_table}_by_time"; DROP INDEX "{history_table}_by_person";',
    )


def by_request(history_table: str) -> RunSQL:
    """The index by which the audit trail finds what one request changed, for what grows with the work."""
    return RunSQL(
        f"""CREATE INDEX "{history_table}_by_request" ON "{history_table}" (request_id) WHERE request_id <> '';""",
        reverse_sql=f'DROP INDEX "{history_table}_by_request";',
    )


def legal_state(table: str, initial: Iterable[str], moves: tuple[Move, ...]) -> RunSQL:
    """Let ``table.state`` begin in ``initial`` only and change by ``moves`` only.

    AFTER and not BEFORE: with a BEFORE trigger, an UPDATE that names a unique column (Django's ``save`` names all)
    takes the row's strongest lock even if the value stays the same, and whoever writes a row that points here, such
    as a claim or an event, waits for it, and sometimes in a circle.
    """
    starts = ", ".join(f"'{state}'" for state in sorted(initial))
    pairs = ", ".join(f"('{source}', '{target}')" for source, target in sorted(legal_moves(moves)))
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION "{table}_legal_state"() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                IF NEW.state NOT IN ({starts}) THEN
                    RAISE EXCEPTION '% cannot begin as %', TG_TABLE_NAME, NEW.state USING ERRCODE = 'check_violation';
                END IF;
            ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({pairs}) THEN
                RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, OLD.state, NEW.state
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER legal_state AFTER INSERT OR UPDATE ON "{table}"
            FOR EACH ROW EXECUTE FUNCTION "{table}_legal_state"();
        ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER legal_state;
        """,
        reverse_sql=f'DROP TRIGGER legal_state ON "{table}"; DROP FUNCTION "{table}_legal_state"();',
    )


def second_person(answers: str, requests: str) -> RunSQL:
    """Refuse a row of ``answers`` that confirms the request of the same person, a superuser's too."""
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION "{answers}_second_person"() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.verdict = 'confirmed'
                AND NEW.by_id = (SELECT asked_by_id FROM "{requests}" WHERE id = NEW.request_id) THEN
                RAISE EXCEPTION 'nobody confirms their own change' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER second_person BEFORE INSERT ON "{answers}"
            FOR EACH ROW EXECUTE FUNCTION "{answers}_second_person"();
        ALTER TABLE "{answers}" ENABLE ALWAYS TRIGGER second_person;
        """,
        reverse_sql=f'DROP TRIGGER second_person ON "{answers}"; DROP FUNCTION "{answers}_second_person"();',
    )


def erased_stays_erased(content: str, case: str) -> RunSQL:
    """Empty what is written to ``content`` after its erasure: to an erased row, or for a case whose own text is erased.

    A reviewer's text that was under way, a note, a stale copy that is saved: none brings a text back. Emptied and not
    refused, since whoever writes an event about an erased case is right to write it. An erasure empties the case's own
    row first: with FOR SHARE, who writes for that case waits for it and then sees it, and what was written before is
    seen by the erasure's next statement.
    """
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION "{content}_stays_erased"() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            gone timestamptz;
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                gone := OLD.erased_at;
            ELSIF NEW.case_id IS NOT NULL AND NEW.erased_at IS NULL THEN
                SELECT own.erased_at INTO gone FROM "{content}" AS own
                    WHERE own.id = (SELECT content_id FROM "{case}" WHERE id = NEW.case_id) FOR SHARE;
            END IF;
            IF gone IS NOT NULL THEN
                NEW.body := NULL;
                NEW.salt := NULL;
                NEW.search_text := '';
                NEW.customer_key := NULL;
                NEW.erased_at := gone;
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER stays_erased BEFORE INSERT OR UPDATE ON "{content}"
            FOR EACH ROW EXECUTE FUNCTION "{content}_stays_erased"();
        ALTER TABLE "{content}" ENABLE ALWAYS TRIGGER stays_erased;
        """,
        reverse_sql=f'DROP TRIGGER stays_erased ON "{content}"; DROP FUNCTION "{content}_stays_erased"();',
    )
