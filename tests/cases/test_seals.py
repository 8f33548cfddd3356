"""Seals: the arithmetic, that nothing is skipped, and that there is one chain."""

import hashlib
import json
import random
import threading
from functools import partial
from itertools import pairwise

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import audit_keys, seals
from cases.digests import canonical
from cases.history import sealed_models
from cases.models import Draft, Seal, SealedTable, SealShape
from cases.models.people import system_actor
from cases.services import sealing
from cases.services.seal_checks import verify
from cases.services.seal_rows import Row as ReadRow
from cases.services.seal_rows import Shape, dump
from tests.cases.sealed import audit_key, seal_all, sealed_keys
from tests.cases.test_guards import APPEND_ONLY
from tests.threads import failures, in_parallel
from tests.worlds import make_world

__all__ = ["audit_key"]

CHAIN = {"cases_seal", "cases_sealedtable", "cases_sealshape"}

# --- the arithmetic --------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), st.none() | st.text()))
def test_the_bytes_of_a_row_are_those_of_rfc_8785(row):
    ordered = dict(sorted(row.items()))
    assert seals.row_bytes("cases_case", ordered) == canonical({"table": "cases_case", "row": ordered})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 100])
def test_every_leaf_climbs_to_the_root_and_no_other_does(count):
    leaves = [hashlib.sha256(bytes([n])).digest() for n in range(count)]
    top = seals.root(leaves)
    for index, one in enumerate(leaves):
        steps = seals.path(leaves, index)
        assert len(steps) <= count.bit_length()
        assert seals.climb(one, steps) == top
        assert seals.climb(bytes(32), steps) != top


def test_the_root_is_that_of_rfc_6962():
    leaves = [seals.leaf(b) for b in (b"", b"\x00", b"\x10")]
    inner = hashlib.sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    assert seals.root(leaves) == hashlib.sha256(b"\x01" + inner + leaves[2]).digest()


def test_a_few_dozen_seals_lead_from_a_head_to_any_other():
    for _ in range(200):
        head = random.randint(1, 2_000_000)
        number = random.randint(1, head)
        way = list(seals.way(head, number))
        assert (way[0], way[-1]) == (head, number)
        assert all(later in (earlier - 1, seals.skip_of(earlier)) for earlier, later in pairwise(way))
        assert len(way) <= 250


def test_a_header_is_read_as_it_was_written_and_nothing_else_is():
    header = seals.Header(17, "a" * 64, "b" * 64, 5, 2**63, "c" * 64, "d" * 64, 1, "e" * 16)
    assert seals.Header.load(header.dump()) == header
    for other in (b"", b"[]", b"{}", header.dump() + b" ", header.dump().replace(b'"17"', b"17")):
        with pytest.raises(ValueError, match=r".*"):
            seals.Header.load(other)


# --- what is sealed --------------------------------------------------------------------------------------------------


def test_every_append_only_table_of_every_room_is_sealed_but_the_seals_themselves():
    """A new table comes here by its ``XactIdField``; one without fails this test."""
    sealed = {model._meta.db_table for model in sealed_models()}
    assert sealed == set(APPEND_ONLY) - CHAIN


@pytest.mark.django_db
def test_every_sealed_table_is_indexed_by_transaction():
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT indrelid::regclass::text FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'xid'
               WHERE i.indpred IS NULL"""
        )
        indexed = {table for (table,) in cursor.fetchall()}
    assert {model._meta.db_table for model in sealed_models()} <= indexed


def test_a_row_that_got_a_column_since_has_the_bytes_it_was_sealed_with():
    old, new = Shape("t", ("a text",)), Shape("t", ("a text", "b text"))
    assert dump(ReadRow("t", 1, "1", ["x"]), old) != dump(ReadRow("t", 1, "1", ["x", None]), new)
    assert old.digest != new.digest


@pytest.mark.django_db(transaction=True)
def test_what_a_day_of_work_writes_is_sealed_and_verifies(audit_key):
    world = make_world()
    for _ in range(3):
        world.submit()
    world.claim()
    assert sealing.unsealed() > 0
    sealed = sealing.seal_due()
    assert sealed.seals == 1
    assert sealing.unsealed() == 0
    report = verify()
    assert report.findings == []
    assert (report.seals, report.rows) == (1, sealed.rows)
    kept = {table.table for table in SealedTable.objects.all()}
    assert {"cases_draft", "cases_caseevent", "cases_historicalcase", "queues_historicalqueue"} <= kept
    assert SealShape.objects.count() == len(sealed_models())
    assert sealing.seal_due().seals == 0, "nothing new, no seal"


@pytest.mark.django_db(transaction=True)
def test_seals_of_a_bound_follow_one_another(audit_key, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    monkeypatch.setattr(sealing, "SEALS_AT_ONCE", 3)
    world = make_world()
    for _ in range(8):
        world.submit()
    count = seal_all()
    assert count > 6
    found = list(Seal.objects.order_by("number"))
    assert [seal.number for seal in found] == list(range(1, count + 1))
    assert all(later.from_xid == earlier.upto_xid for earlier, later in pairwise(found))
    assert verify().findings == []
    middle = verify(first=count // 2)
    assert (middle.findings, middle.seals) == ([], count - count // 2 + 1)


@pytest.mark.django_db(transaction=True)
def test_a_verification_stops_in_time_and_goes_on_where_it_stopped(audit_key, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    make_world().submit()
    count = seal_all()
    read, first = 0, 1
    while first is not None:
        report = verify(first=first, seconds=1e-9)
        assert report.findings == []
        read, first = read + report.seals, report.next_number
    assert read == count


@pytest.mark.django_db(transaction=True)
def test_a_row_that_commits_late_is_sealed_later_and_never_skipped(audit_key):
    world = make_world()
    world.submit()
    seal_all()
    started, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            world.tenant.save_as(system_actor(), "slow")
            started.set()
            assert may_end.wait(60)

    def quick() -> int:
        assert started.wait(60)
        try:
            case = world.submit()  # Commits with a higher transaction id while the slow one is open.
            before = Seal.objects.count()
            sealing.seal_due()
            assert str(case.current_draft_id) not in sealed_keys("cases_draft")
            return before
        finally:
            may_end.set()

    assert failures(in_parallel([slow, quick])) == []
    sealing.seal_due()
    assert sealing.unsealed() == 0
    assert verify().findings == []
    assert sorted(sealed_keys("cases_draft")) == sorted(str(pk) for pk in Draft.objects.values_list("pk", flat=True))


# --- one chain -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_sealers_at_once_make_one_chain(audit_key, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    world = make_world()
    for _ in range(3):
        world.submit()
    results = in_parallel([partial(sealing.seal_due, wait=n % 2 == 0) for n in range(6)])
    assert failures(results) == []
    assert sealing.unsealed() == 0
    assert sum(one.seals for one in results) == Seal.objects.count()
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_a_sealer_that_dies_leaves_nothing_and_the_next_one_goes_on(audit_key, monkeypatch):
    make_world().submit()

    def dies(*args, **kwargs) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(SealedTable.objects, "bulk_create", dies)
        sealing.seal_due()
    assert Seal.objects.count() == 0
    assert seal_all() == 1
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_refuses_a_second_chain(audit_key):
    make_world()
    seal_all()
    first = Seal.objects.get()
    with pytest.raises(IntegrityError):
        Seal.objects.create(
            number=2, header=b"x", digest=b"x", previous=first.previous, from_xid=first.upto_xid,
            upto_xid=first.upto_xid + 1, rows=1, contents=b"", key_id="", signature=b"", sealed_at=first.sealed_at,
        )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_cluster_that_counts_anew_is_not_sealed_over(audit_key):
    make_world()
    seal_all()
    before = Seal.objects.get()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_seal DISABLE TRIGGER append_only")
        cursor.execute("UPDATE cases_seal SET upto_xid = upto_xid + 1000000")
        cursor.execute("ALTER TABLE cases_seal ENABLE ALWAYS TRIGGER append_only")
    with pytest.raises(sealing.ClusterRestored, match="nothing was sealed"):
        sealing.seal_due()
    assert Seal.objects.get().pk == before.pk


# --- keys and commands -----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_without_a_key_nothing_is_sealed_and_it_says_so(settings):
    settings.AUDIT_SIGNING_KEY = ""
    with pytest.raises(audit_keys.KeyUnusable, match="AUDIT_SIGNING_KEY is not set"):
        sealing.seal_due()
    with pytest.raises(CommandError, match="AUDIT_SIGNING_KEY is not set"):
        call_command("seal_audit")


@pytest.mark.django_db(transaction=True)
def test_a_replaced_key_leaves_what_the_old_one_signed_provable(audit_key, settings):
    world = make_world()
    seal_all()
    audit_keys.make(audit_key, replace=True)
    world.submit()
    assert seal_all() == 2
    assert len(set(Seal.objects.values_list("key_id", flat=True))) == 2
    assert verify().findings == []
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_TRUSTED_KEYS = "", f"{audit_key}.trusted"
    assert verify().findings == [], "who verifies needs public keys alone"


def test_a_key_is_private_and_never_written_over(tmp_path, capsys):
    path = tmp_path / "key.pem"
    call_command("audit_key", str(path))
    assert path.stat().st_mode & 0o077 == 0
    said, written = capsys.readouterr().out, path.read_bytes()
    assert (tmp_path / "key.pem.trusted").read_text().strip() in said
    with pytest.raises(CommandError, match="left as it is"):
        call_command("audit_key", str(path))
    assert path.read_bytes() == written


@pytest.mark.parametrize("line", ["nonsense", "0123456789abcdef AAAA", "0123456789abcdef " + "A" * 43 + "="])
def test_a_list_of_keys_with_a_bad_line_is_refused(line):
    with pytest.raises(audit_keys.KeyUnusable):
        audit_keys.read_list(line)


@pytest.mark.django_db(transaction=True)
def test_the_commands_count_seal_and_verify(audit_key, capsys):
    make_world().submit()
    call_command("seal_audit", "--dry-run")
    assert "rows wait for a seal" in capsys.readouterr().out
    assert Seal.objects.count() == 0
    call_command("seal_audit", "--publish")
    said = capsys.readouterr().out
    assert "1 new seals" in said
    assert "Published on 1 ways" in said
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert "are as they were sealed" in said
    assert "not sealed yet" in said, "the receipt of the publication is newer than the seal"


def test_no_room_has_a_table_that_claims_to_be_append_only_in_words_alone():
    """``sealed_models`` asks for the column; the guards' test for the trigger: together nothing is left out."""
    for model in sealed_models():
        assert model._meta.app_label in {"cases", "queues", "approvals", "feedback"}
        assert apps.get_model(model._meta.label) is model


def test_headers_hold_no_volumes():
    header = seals.Header(1, "a", "b", 0, 9, "c", "d", 1, "e").dump()
    assert set(json.loads(header)) == {
        "format", "number", "previous", "skip", "from_xid", "upto_xid", "root", "contents", "sealed_at", "key",
    }  # fmt: skip
