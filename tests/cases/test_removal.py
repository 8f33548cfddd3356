"""Old audit rows go when their period is over, and every seal still verifies; a deletion that pretends to be that is
found."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from cases import audit_keys
from cases.clock import db_now, pretend_now
from cases.models import AccessEvent, AuditRemoval, DataView, Denial, RetentionRule, Seal, SealedTable, Tenant
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.removals import SIGNED, Note, read_places, spell_places
from cases.services import database_roles, holds, removal
from cases.services.access import note
from cases.services.audit import keep_denial
from cases.services.data_views import keep_view
from cases.services.members import assign_roles
from cases.services.removal import RemovalRefused
from cases.services.seal_checks import verify
from cases.services.switch import ReasonMissing
from feedback.evidence.proving import removals
from feedback.evidence.tables import Window
from tests.cases.sealed import as_owner, seal_all
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

VIEWS, REMOVALS = "cases_dataview", "cases_auditremoval"
A_YEAR = 365
LATER = timedelta(days=A_YEAR + 35)
Kind = AccessEvent.Kind


@pytest.fixture(scope="module")
def committed(django_db_setup, django_db_blocker, tmp_path_factory):
    """Two tenants' views, refusals, sign-ins and versions, sealed twice; one of them keeps audit rows for a year.

    Really committed, once: sealing needs ended transactions. Each test removes in a transaction that is rolled back.
    """
    key = tmp_path_factory.mktemp("keys") / "audit.pem"
    audit_keys.make(key)
    with django_db_blocker.unblock(), override_settings(AUDIT_SIGNING_KEY=str(key)):
        world, other = make_world("acme"), make_world("other")
        RetentionRule(tenant=world.tenant, audit_days=A_YEAR).save_as(system_actor(), "decided")
        assign_roles(other.reviewer, world.tenant, ["reviewer"], actor=system_actor())
        for one in (world, other):
            for _ in range(2):
                keep_view(one.compliance, one.submit(), DataView.What.CASE, at=db_now())
            keep_denial(Denied(one.reviewer, "view_audit", one.tenant))
            note(one.reviewer, Kind.SIGNED_IN)
            note(one.supervisor, Kind.SIGNED_IN)
            rename(one, "Second")
        seal_all()
        for one in (world, other):
            keep_view(one.supervisor, one.tenant.cases.first(), DataView.What.CASE, at=db_now())
            rename(one, "Third")
        seal_all()
        yield key, world, other
        call_command("flush", interactive=False, verbosity=0)
        connection.close()


def rename(world: World, name: str) -> None:
    tenant = Tenant.objects.get(pk=world.tenant.pk)
    tenant.name = name
    tenant.save_as(system_actor(), name)


@pytest.fixture
def world(committed, db, settings) -> World:
    settings.AUDIT_SIGNING_KEY = str(committed[0])
    return committed[1]


def rule(world: World) -> RetentionRule:
    return RetentionRule.objects.select_related("tenant").get(tenant=world.tenant)


def remove(world: World) -> int:
    return removal.run(rule(world), actor=system_actor(), reason="decision 7 of the board")


@pytest.fixture
def removed(world):
    """After a lawful removal, a good year later; the note of the views of the first seal."""
    with pretend_now(db_now() + LATER):
        assert remove(world)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # As after a commit.
        yield AuditRemoval.objects.filter(table=VIEWS).earliest("seal")


def words() -> str:
    return "\n".join(map(str, verify().findings))


# --- what goes, and what stays ---------------------------------------------------------------------------------------


def test_old_rows_go_and_the_seals_verify_and_say_so(committed, world, capsys):
    other = committed[2]
    before = verify()
    assert (before.findings, before.removed.total) == ([], 0)
    with pretend_now(db_now() + LATER):
        due = removal.count(rule(world))
        seen: list[int] = []
        assert removal.run(rule(world), actor=system_actor(), reason="board", progress=seen.append) == sum(due.values())
        assert sum(seen) == sum(due.values())
        after = verify()
        assert (after.findings, after.rows, after.head) == ([], before.rows, before.head)
        assert after.removed.total == sum(due.values()) == sum(row.rows for row in AuditRemoval.objects.all())
        call_command("verify_audit")
        said = capsys.readouterr().out
        assert f"{before.rows - sum(due.values()):,} rows in" in said
        assert f"{sum(due.values()):,} rows of acme were removed lawfully" in said and "kept for 365 days" in said
        assert remove(world) == 0, "nothing is left to go"
    assert not DataView.objects.filter(tenant=world.tenant).exists()
    assert not Denial.objects.filter(tenant=world.tenant).exists()
    assert DataView.objects.filter(tenant=other.tenant).count() == 3, "another tenant keeps its own"
    assert Denial.objects.filter(tenant=other.tenant).exists()
    names = Tenant.history.filter(id=world.tenant.pk).order_by("history_id").values_list("name", flat=True)
    assert list(names) == ["Third"], "the version that stood when the period began"
    assert other.tenant.history.count() == 3
    assert world.tenant.cases.count() == 2


def test_what_is_younger_stays_and_of_versions_the_one_that_stood_then(world):
    with pretend_now(db_now() + timedelta(days=A_YEAR - 1)):
        assert removal.count(rule(world)) == {}
        assert remove(world) == 0
    assert not AuditRemoval.objects.exists()


def test_a_sign_in_goes_when_it_is_old_for_every_place_of_the_person(committed, world):
    """The other tenant's reviewer works for both, and the other tenant keeps everything."""
    other = committed[2]
    with pretend_now(db_now() + LATER):
        remove(world)
        assert set(AccessEvent.objects.values_list("user", flat=True)) == {other.reviewer.pk, other.supervisor.pk}
        kept = RetentionRule(tenant=other.tenant, audit_days=A_YEAR + 100)
        kept.save_as(system_actor(), "decided")
        assert remove(world) == 0
    with pretend_now(db_now() + LATER + timedelta(days=100)):
        assert remove(world) == 1
        assert verify().findings == []


def test_a_legal_hold_wins(world):
    held = world.tenant.cases.earliest("id")
    with pretend_now(db_now() + LATER):
        hold = holds.place(world.tenant, case=held, reason="court", actor=world.compliance)
        remove(world)
        assert set(DataView.objects.filter(tenant=world.tenant).values_list("case", flat=True)) == {held.pk}
        assert verify().findings == []
        holds.release(hold.pk, reason="over", actor=world.compliance)
        assert remove(world) >= 2
        assert verify().findings == []


# --- who may ---------------------------------------------------------------------------------------------------------


def test_it_takes_the_owner_the_key_and_a_reason(world, settings, monkeypatch, capsys):
    with pretend_now(db_now() + LATER):
        with pytest.raises(ReasonMissing):
            removal.run(rule(world), actor=system_actor(), reason=" ")
        call_command("remove_audit", "--dry-run")
        said = capsys.readouterr().out
        assert "rows are older than 365 days" in said and f"{VIEWS}: 3" in said and "other" not in said
        with pytest.raises(CommandError, match="on what ground"):
            call_command("remove_audit")
        with monkeypatch.context() as patched:
            patched.setattr(database_roles, "owns_the_audit_tables", lambda: False)
            with pytest.raises(RemovalRefused, match="owner of the tables"):
                remove(world)
        settings.AUDIT_SIGNING_KEY = ""
        with pytest.raises(CommandError, match="AUDIT_SIGNING_KEY"):
            call_command("remove_audit", "--reason", "board")
        assert DataView.objects.filter(tenant=world.tenant).count() == 3
    with pytest.raises(CommandError, match="No such tenant"):
        call_command("remove_audit", "--tenant", "other", "--reason", "board")


def test_an_evidence_pack_tells_of_removals_and_of_no_other_tenants(committed, removed):
    day = timedelta(days=1)

    def told(tenant: Tenant) -> list[dict]:
        return list(removals(Window(tenant, removed.at - day, removed.at + day, removed.at + day, "UTC", "seed")))

    assert told(committed[2].tenant) == []
    (views,) = [row for row in told(removed.tenant) if (row["table"], row["seal"]) == (VIEWS, removed.seal_id)]
    assert (views["rows"], views["kept_for_days"], views["reason"]) == (removed.rows, A_YEAR, "decision 7 of the board")


def test_the_guard_stands_again_afterwards(world, removed):
    assert "no longer append-only" not in words()


# --- tampering that pretends to be a removal --------------------------------------------------------------------------


def test_a_deletion_without_a_note_is_a_deletion(removed):
    view = DataView.objects.first()
    with as_owner(VIEWS) as cursor:
        cursor.execute(f"DELETE FROM {VIEWS} WHERE id = %s", [view.pk])
    assert words().endswith(f"row {view.pk} of {VIEWS} is gone.")


def test_a_note_that_is_taken_away_excuses_nothing(removed):
    with as_owner(REMOVALS) as cursor:
        cursor.execute(f"DELETE FROM {REMOVALS} WHERE id = %s", [removed.pk])
    assert words().count("is gone") == removed.rows


def forged(row: AuditRemoval, signer=None, **changes) -> str:
    """What the verification says once ``row`` holds another note, signed by ``signer`` or not anew."""
    wanted = replace(Note.load(bytes(row.document)), **changes)
    data = wanted.dump()
    signature = audit_keys.sign(signer, data, begin=SIGNED) if signer else bytes(row.signature)
    with as_owner(REMOVALS) as cursor:
        cursor.execute(
            f"""UPDATE {REMOVALS} SET document = %s, signature = %s, seal_id = %s, rows = %s, period_days = %s,
                key_id = %s, at = to_timestamp(%s / 1000000.0) WHERE id = %s""",
            [data, signature, wanted.seal, wanted.rows, wanted.days, wanted.key, wanted.at, row.pk],
        )
    return words()


def test_a_note_that_was_widened_or_points_elsewhere_is_false(removed):
    """The rows that it took are named as gone, for it proves nothing any more."""
    said = forged(removed, places="0-3", rows=4)
    assert "proves nothing: no trusted key has signed it" in said and "is gone" in said
    assert "no trusted key has signed it" in forged(removed, seal=removed.seal_id + 1)


def test_a_note_signed_with_another_key_is_false(removed, tmp_path, settings):
    other = tmp_path / "other.pem"
    audit_keys.make(other)
    with override_settings(AUDIT_SIGNING_KEY=str(other)):
        stranger = audit_keys.signing_key()
    said = forged(removed, stranger, key=audit_keys.key_id(stranger.public_key()))
    assert "no trusted key has signed it" in said and "is gone" in said


@pytest.mark.parametrize(
    "changes, because",
    [
        ({"days": 1}, "the rows were too young to go"),
        ({"days": 500}, "the rows were too young to go"),
        ({"at": 9_000_000_000_000_000}, "the rows were too young to go"),
        ({"seal": 2}, "it speaks of another seal"),
        ({"table": "cases_denial"}, "its columns say something else than what was signed"),
        ({"tenant": "other"}, "its columns say something else than what was signed"),
        ({"places": "0-99", "rows": 100}, "places out of order"),
        ({"places": "1-0"}, "places out of order"),
        ({"places": "1", "rows": 1}, "it names other rows than this seal holds"),
    ],
)
def test_even_the_real_key_signs_no_removal_of_what_is_young_or_elsewhere(removed, changes, because):
    said = forged(removed, audit_keys.signing_key(), **changes)
    assert f"proves nothing: {because}" in said
    assert "is gone" in said


def test_columns_that_say_something_else_than_the_note_are_found(removed):
    with as_owner(REMOVALS) as cursor:
        cursor.execute(f"UPDATE {REMOVALS} SET period_days = 200 WHERE id = %s", [removed.pk])
    assert "its columns say something else" in words()


def test_a_row_that_is_back_is_named(world):
    with pretend_now(db_now() + LATER):
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS TABLE {VIEWS}")
        remove(world)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {VIEWS} OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE tenant_id = %s LIMIT 1"
                " RETURNING id",
                [world.tenant.pk],
            )
            (back,) = cursor.fetchone()
        assert f"row {back} of {VIEWS} was removed lawfully and is here again." in words()


def test_an_edit_beside_a_lawful_removal_is_still_named(committed, removed):
    view = DataView.objects.filter(tenant=committed[2].tenant).earliest("id")
    with as_owner(VIEWS) as cursor:
        cursor.execute(f"UPDATE {VIEWS} SET with_customer = NOT with_customer WHERE id = %s", [view.pk])
    assert words().endswith(f"row {view.pk} of {VIEWS} was changed.")


def test_changed_digests_hide_no_deletion_beside_a_removal(removed):
    with as_owner("cases_sealedtable") as cursor:
        cursor.execute(
            "UPDATE cases_sealedtable SET keys = keys || '9' WHERE seal_id = %s AND \"table\" = %s",
            [removed.seal_id, VIEWS],
        )
    said = words()
    assert f"the digests of {VIEWS} were changed" in said and "which, nothing tells any more" in said


def test_the_notes_are_sealed_themselves(world):
    assert "cases_auditremoval" in database_roles.audit_tables()
    assert Seal.objects.count() == 2 and SealedTable.objects.filter(table=VIEWS).count() == 2


# --- the arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [[0], [0, 1, 2], [3, 5, 6, 9], list(range(100))])
def test_places_are_read_as_they_were_spelt(places):
    assert read_places(spell_places(places), 100) == places


@pytest.mark.parametrize("text", ["", "a", "1,0", "0-", "-1", "2-1", "0,0", "5", "0-5"])
def test_places_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError):
        read_places(text, 5)


def test_a_note_has_one_spelling():
    one = Note(1, "00", "t", "0", 1, "11", "acme", 365, 10**15, "k")
    assert Note.load(one.dump()) == one
    for bad in (b"", b"[]", b"{}", one.dump() + b" ", one.dump().replace(b"removal-1", b"removal-2")):
        with pytest.raises(ValueError):
            Note.load(bad)
