"""Promise 8: an edit of the audit trail, by anyone with SQL, is found.

Each kind of tampering is done by the tables' owner with real SQL, guards switched off and on again; the report has to
name where. What only a published head shows is said in its test, and so is what nothing shows.
"""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from cases import audit_keys, seals
from cases.history import sealed_models
from cases.models import CaseEvent, Seal, SealedTable
from cases.services import seal_checks, sealing
from cases.services.seal_checks import Head, verify
from tests.cases.sealed import as_owner, publish, seal_all
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
EVENTS = "cases_caseevent"
CHAIN = ("cases_seal", "cases_sealedtable")
ALL = (*CHAIN, *(model._meta.db_table for model in sealed_models()))
SEALS = 5


@pytest.fixture(scope="module")
def committed(django_db_setup, django_db_blocker, tmp_path_factory):
    """Five seals over a few cases, a backup of when there were three, and a case that is too young to be sealed.

    Really committed, once: sealing needs ended transactions. Each test tampers in a transaction that is rolled back.
    """
    key = tmp_path_factory.mktemp("keys") / "audit.pem"
    audit_keys.make(key)
    with django_db_blocker.unblock(), override_settings(AUDIT_SIGNING_KEY=str(key)):
        world = make_world()
        for number in range(1, SEALS + 1):
            for _ in range(2):
                world.submit()
            seal_all()
            if number == 3:
                copy_tables('CREATE TABLE "old_{0}" AS TABLE "{0}"')
        world.submit()
        yield key
        copy_tables('DROP TABLE "old_{0}"')
        call_command("flush", interactive=False, verbosity=0)
        connection.close()


def copy_tables(statement: str) -> None:
    with connection.cursor() as cursor:
        for table in ALL:
            cursor.execute(statement.format(table))


@pytest.fixture
def trail(committed, db, settings) -> list[CaseEvent]:
    """The events of the third seal, oldest first, in a trail that verifies."""
    settings.AUDIT_SIGNING_KEY = str(committed)
    return events_of(3)


@pytest.fixture
def audit_key(committed, trail):
    return committed


def test_00_the_trail_verifies_before_anybody_tampers(trail):
    report = verify()
    assert (report.findings, report.seals) == ([], SEALS)


def events_of(number: int) -> list[CaseEvent]:
    kept = SealedTable.objects.get(seal=number, table=EVENTS)
    return [CaseEvent.objects.get(pk=key) for key in bytes(kept.keys).decode().split("\n")]


def told() -> list[tuple[int, str, str]]:
    """Seal, table and key of each finding."""
    return [(one.seal, one.table, one.key) for one in verify().findings]


def words() -> str:
    return "\n".join(map(str, verify().findings))


def sql(statement: str, parameters=(), *tables: str) -> None:
    with as_owner(*tables) as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount != 0, "nothing was tampered with"


# --- found by the seals alone ----------------------------------------------------------------------------------------


def test_01_an_edited_row_is_named(trail):
    sql('UPDATE cases_caseevent SET data = \'{"route": "other"}\' WHERE id = %s', [trail[1].pk], EVENTS)
    assert told() == [(3, EVENTS, str(trail[1].pk))]
    assert "was changed" in words()


def test_02_a_row_deleted_in_the_middle_is_named(trail):
    sql("DELETE FROM cases_caseevent WHERE id = %s", [trail[1].pk], EVENTS)
    assert told() == [(3, EVENTS, str(trail[1].pk))]
    assert "is gone" in words()


def test_03_rows_deleted_at_the_tail_are_named(trail):
    last = events_of(5)
    sql("DELETE FROM cases_caseevent WHERE id = ANY (%s)", [[one.pk for one in last]], EVENTS)
    assert told() == [(5, EVENTS, str(one.pk)) for one in last]


def test_04_reordered_rows_are_named(trail):
    """In time: two rows swap their transactions, as if one had happened before the other."""
    one, other = trail[0], events_of(4)[0]
    with as_owner(EVENTS) as cursor:
        cursor.execute("UPDATE cases_caseevent SET xid = %s::xid8 WHERE id = %s", [str(other.xid), one.pk])
        cursor.execute("UPDATE cases_caseevent SET xid = %s::xid8 WHERE id = %s", [str(one.xid), other.pk])
    assert {key for _, _, key in told()} == {str(one.pk), str(other.pk)}
    assert {seal for seal, _, _ in told()} == {3, 4}


def test_05_an_inserted_row_is_named(trail):
    """With an old transaction, to stand among what was sealed long ago."""
    columns = [field.column for field in CaseEvent._meta.concrete_fields if field.column != "id"]
    listed = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:  # No guard refuses an insert.
        cursor.execute(
            f"INSERT INTO cases_caseevent (id, {listed}) SELECT gen_random_uuid(), {listed} FROM cases_caseevent"
            " WHERE id = %s RETURNING id",
            [trail[0].pk],
        )
        added = cursor.fetchone()[0]
    assert told() == [(3, EVENTS, str(added))]
    assert "was added after this seal was made" in words()


def test_06_two_rows_that_swap_their_bodies_are_named(trail):
    one, other = trail[0], trail[1]
    swap = """UPDATE cases_caseevent e SET case_id = o.case_id, data = o.data FROM cases_caseevent o
              WHERE (e.id = %(a)s AND o.id = %(b)s) OR (e.id = %(b)s AND o.id = %(a)s)"""
    sql(swap, {"a": one.pk, "b": other.pk}, EVENTS)
    assert sorted(told()) == sorted((3, EVENTS, str(row.pk)) for row in (one, other))


def test_07_a_guard_that_was_left_off_is_found_even_if_nothing_was_edited(trail):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_caseevent DISABLE TRIGGER append_only")
    assert told() == [(0, EVENTS, "")]
    assert "no longer append-only" in words()


def test_08_a_changed_seal_is_named(trail):
    sql("UPDATE cases_seal SET signature = signature || 'x' WHERE number = 3", [], *CHAIN)
    assert "seal 3: its signature is false" in words()


@pytest.mark.parametrize("column", ["header", "contents", "previous", "digest", "key_id", "upto_xid"])
def test_08_whatever_is_changed_in_a_seal_is_found(trail, column):
    value = "'0'" if column == "key_id" else "upto_xid + 1" if column == "upto_xid" else f"{column} || 'x'::bytea"
    if column == "upto_xid":
        sql("UPDATE cases_seal SET upto_xid = upto_xid + 1 WHERE number = 5", [], *CHAIN)
        assert any(one.seal == 5 for one in verify().findings)
        return
    sql(f"UPDATE cases_seal SET {column} = {value} WHERE number = 3", [], *CHAIN)
    assert verify().findings[0].seal == 3


def test_09_a_seal_taken_out_of_the_middle_is_named(trail):
    with as_owner(*CHAIN, EVENTS) as cursor:
        cursor.execute("DELETE FROM cases_sealedtable WHERE seal_id = 3")
        cursor.execute("DELETE FROM cases_seal WHERE number = 3")
    assert "seal 3: seal 3 is missing from the chain" in words()


def test_10_changed_digests_hide_no_changed_row(trail):
    """Who edits a row and the digests that are kept of it, but not what is signed."""
    row = trail[1]
    sql("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [row.pk], EVENTS)
    with as_owner(*CHAIN) as cursor:
        cursor.execute("UPDATE cases_sealedtable SET digests = digests || digests WHERE seal_id = 3")
    assert "which, nothing tells any more" in words()
    assert {(seal, table) for seal, table, _ in told()} >= {(3, EVENTS)}


def test_10_changed_digests_alone_are_named_for_what_they_are(trail):
    sql("UPDATE cases_sealedtable SET keys = keys || 'x' WHERE seal_id = 3 AND \"table\" = %s", [EVENTS], *CHAIN)
    assert words() == f"seal 3: the digests of {EVENTS} were changed."


def test_11_the_whole_chain_made_anew_without_the_key_is_found(trail, tmp_path, monkeypatch):
    """An edit, and every seal after it computed again by a careful hand: but signed with another key."""
    forged = tmp_path / "forged.pem"
    audit_keys.make(forged)
    sql("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [trail[1].pk], EVENTS)
    remake_chain(forged, monkeypatch)
    found = verify().findings
    assert [one.seal for one in found] == list(range(1, len(found) + 1)), "every seal, from the first"
    assert "is not among the trusted ones" in str(found[0])


def test_12_a_row_that_claims_a_transaction_to_come_is_named(trail):
    """It would never be sealed, and could be changed for ever."""
    sql("UPDATE cases_caseevent SET xid = '999999999999'::xid8 WHERE id = %s", [trail[0].pk], EVENTS)
    assert told() == [(3, EVENTS, str(trail[0].pk)), (0, EVENTS, str(trail[0].pk))]


def test_a_dropped_column_is_named(trail):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_caseevent RENAME COLUMN subject TO about")
    assert f"{EVENTS} has lost what was sealed: subject" in words()


def test_a_column_that_a_later_migration_adds_changes_no_seal(trail):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_caseevent ADD COLUMN later text NOT NULL DEFAULT 'x'")
    assert verify().findings == []


# --- found by a published head only ----------------------------------------------------------------------------------


def remake_chain(key, monkeypatch) -> None:
    """All seals again, over the rows as they are now, signed with ``key``: at least as many as there were."""
    with as_owner(*CHAIN) as cursor:
        cursor.execute("DELETE FROM cases_sealedtable")
        cursor.execute("DELETE FROM cases_seal")
    monkeypatch.setattr(sealing, "BATCH", 5)
    with override_settings(AUDIT_SIGNING_KEY=str(key)):
        assert seal_all() > SEALS


def test_13_the_chain_made_anew_with_the_stolen_key_needs_the_published_head(trail, audit_key, tmp_path, monkeypatch):
    head = publish(tmp_path)
    sql("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [trail[1].pk], EVENTS)
    remake_chain(audit_key, monkeypatch)
    assert verify().findings == [], "the database contradicts itself nowhere"
    found = verify(heads=[Head.load(head.read_text())]).findings
    assert "is another one than the published one" in str(found[0])


def test_14_a_tail_cut_off_with_its_seals_needs_the_published_head(trail, tmp_path):
    head = publish(tmp_path)
    last = events_of(SEALS)
    xid = Seal.objects.get(pk=SEALS).from_xid
    with as_owner(*ALL) as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # Past the foreign keys.
        for model in sealed_models():
            cursor.execute(f'DELETE FROM "{model._meta.db_table}" WHERE xid >= %s::xid8', [str(xid)])
        cursor.execute("DELETE FROM cases_sealedtable WHERE seal_id = %s", [SEALS])
        cursor.execute("DELETE FROM cases_seal WHERE number = %s", [SEALS])
    assert not CaseEvent.objects.filter(pk=last[0].pk).exists()
    assert verify().findings == []
    found = verify(heads=[Head.load(head.read_text())]).findings
    assert "was published and is not here; the chain ends with 4" in str(found[0])


def test_15_an_old_backup_needs_the_published_head(trail, tmp_path):
    """The tables as they were at the third seal, restored over what came after."""
    head = publish(tmp_path)
    with as_owner(*ALL) as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in ALL:
            cursor.execute(f'DELETE FROM "{table}"')
            cursor.execute(f'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE TABLE "old_{table}"')
    assert Seal.objects.count() == 3
    assert verify().findings == []
    assert "an old backup stands in its place" in str(verify(heads=[Head.load(head.read_text())]).findings[0])


def test_16_another_key_in_place_of_the_real_one_is_found_by_who_kept_the_list(trail, audit_key, settings, tmp_path):
    """Whoever changes the key of the installation signs on; a list that is kept elsewhere does not know the new one."""
    kept = audit_keys.read_list(audit_key.with_name("audit.pem.trusted").read_text())
    changed = tmp_path / "audit.pem"
    changed.write_bytes(audit_key.read_bytes())
    changed.with_name("audit.pem.trusted").write_text("".join(map(audit_keys.line_of, kept.values())) + "\n")
    audit_keys.make(changed, replace=True)
    settings.AUDIT_SIGNING_KEY = str(changed)
    assert seal_all() == SEALS + 1
    assert verify().findings == []
    found = verify(trusted=kept).findings
    assert [one.seal for one in found] == [SEALS + 1]
    assert "not among the trusted ones" in str(found[0])


# --- found by nothing: said honestly ---------------------------------------------------------------------------------


def test_17_an_edit_before_the_first_seal_of_a_row_is_not_found_and_the_command_says_how_many_may_be(trail, capsys):
    young = CaseEvent.objects.latest("id")
    sql("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [young.pk], EVENTS)
    assert verify().findings == []
    call_command("verify_audit")
    assert "rows are not sealed yet: nothing proves them" in capsys.readouterr().out
    assert seal_all() == SEALS + 1
    assert verify().findings == [], "sealed as it was found: about a minute is the window"


# --- the report ------------------------------------------------------------------------------------------------------


def test_the_command_names_the_first_broken_row_and_ends_with_one(trail, tmp_path, capsys):
    head = publish(tmp_path)
    call_command("verify_audit", "--head", str(head))
    assert "No published head" not in capsys.readouterr().out
    sql("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [trail[1].pk], EVENTS)
    with pytest.raises(CommandError, match="does not verify: 1 findings"):
        call_command("verify_audit", "--head", str(head))
    assert f"seal 3: row {trail[1].pk} of {EVENTS} was changed." in capsys.readouterr().out


def test_the_report_is_bounded_however_much_is_broken(trail):
    sql("UPDATE cases_caseevent SET data = '{}'", [], EVENTS)
    sql("UPDATE cases_historicalcase SET language = 'xx'", [], "cases_historicalcase")
    assert len(verify().findings) <= seal_checks.MOST_FINDINGS


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"header": "x", "signature": "zz"}', "\ud800"])
def test_a_file_that_holds_no_head_is_refused(text):
    with pytest.raises(seal_checks.HeadUnreadable):
        Head.load(text)


def test_a_head_that_nobody_signed_proves_nothing(trail, tmp_path):
    said = json.loads(publish(tmp_path).read_text())
    said["signature"] = "00" * 64
    found = verify(heads=[Head.load(json.dumps(said))]).findings
    assert "is not signed by a trusted key" in str(found[0])


def test_the_format_of_what_is_signed_stays(trail):
    """A change of these bytes would make every published head unreadable."""
    seal = Seal.objects.get(pk=1)
    assert seals.Header.load(bytes(seal.header)).number == 1
    assert bytes(seal.header).startswith(b'{"contents":"')
    assert b'"format":"countersign-seal-1"' in bytes(seal.header)
