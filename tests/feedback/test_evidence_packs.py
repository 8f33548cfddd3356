"""Evidence packs: they hold what the product says elsewhere and nobody else's, and no byte of them can be changed."""

import csv
import io
import json
import subprocess
import sys
import threading
import zipfile
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from approvals.models import ActionType, ApprovalAuthority
from approvals.services import authorities
from cases import audit_keys, verify_pack
from cases.clock import db_now, pretend_now
from cases.models import CaseEvent, PolicyVersion, SelfTest
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import policies, switch
from cases.verify_selection import Unreadable
from feedback.errors import NotCancellable, NotReady, TooManyExports, WindowRefused
from feedback.evidence.mapping import EXPECTATIONS
from feedback.evidence.registry import BY_KEY, SECTIONS
from feedback.metrics import rollups
from feedback.metrics.reading import Question, available, figures, read_sums
from feedback.models import EvidencePack
from feedback.services import evidence_packs, evidence_runs
from feedback.services.export_files import storage
from tests.cases.sealed import audit_key, seal_all
from tests.feedback import challenging
from tests.feedback.corrections import override
from tests.feedback.exporting import folder
from tests.worlds import SURE, World, make_world

__all__ = ["audit_key", "folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("audit_key", "folder")]
COMMITTED = pytest.mark.django_db(transaction=True)

CUSTOMER = {"reference": "cust_98123", "email": "anna@example.com"}


@pytest.fixture
def world() -> World:
    """Automatic approvals, overrides, a stop, a test of the switch, seals."""
    world = make_world("acme", rules={"new_release_reviews": 0, "sampling_share": 0.0}, export_customer="mask")
    with pretend_now(db_now() - timedelta(hours=1)):
        for number in range(3):
            world.submit(signals=SURE, external_id=f"sure-{number}")
    for _ in range(2):
        override(world, case={"customer": CUSTOMER, "user_question": "I am cust_98123. May I?"})
    switch.stop(switch.Scope(world.tenant), actor=world.supervisor, reason="drill in acme")
    SelfTest.objects.create(at=db_now(), passed=True, finding="It stops.", seconds=1.0, stop_seconds=0.02)
    rollups.refresh()
    seal_all()
    return world


def miss_a_challenge(world: World) -> None:
    with pretend_now(db_now() - timedelta(minutes=20)):
        challenging.real_cases(world)
        challenging.missed(world)


def asked(world: World, *, actor=None, days: int = 2, **options: Any) -> EvidencePack:
    now = db_now()
    actor = actor or world.compliance
    return evidence_packs.request(world.tenant, since=now - timedelta(days=days), until=now, actor=actor, **options)


def made(world: World, **options: Any) -> EvidencePack:
    pack = evidence_runs.run(asked(world, **options).pk)
    assert pack.state == "ready", pack.error
    return pack


def content(pack: EvidencePack) -> bytes:
    with storage().open(pack.file_key) as file:
        return file.read()


def rows_of(data: bytes, table: str) -> list[dict[str, Any]]:
    lines = zipfile.ZipFile(io.BytesIO(data)).read(f"data/{table}.jsonl").decode().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text("".join(f"{audit_keys.line_of(key)}\n" for key in audit_keys.trusted_keys().values()))
    return path


# --- what it holds ----------------------------------------------------------------------------------------------------


def test_every_number_is_the_metrics_own(world):
    pack = made(world)
    data = content(pack)
    question = Question(world.tenant.pk, pack.zone, pack.since, pack.until)
    sums = read_sums(question)[None, None]
    assert {row["measure"]: row["sum"] for row in rows_of(data, "volumes")} == {n: str(v) for n, v in sums.items()}
    told = {row["metric"]: row for row in rows_of(data, "rates")}
    counted = {figure.metric.name: figure for figure in figures(question, available(question))}
    del counted["queue_age"]
    assert set(told) == set(counted)
    for name, figure in counted.items():
        assert (told[name]["numerator"], told[name]["denominator"]) == (str(figure.above), str(figure.below)), name
        assert (told[name]["p50"], told[name]["p90"]) == (figure.p50, figure.p90), name
        assert told[name]["value"] == (None if figure.value is None else float(round(figure.value, 6))), name
    assert sums["overridden"] == len(rows_of(data, "overrides")) == 2
    assert sums["opened"] == sum(row["opened"] for row in rows_of(data, "volumes_by_day")) > 0
    opened = next(row["times"] for row in rows_of(data, "events") if row["event"] == "case.opened")
    assert opened == CaseEvent.objects.filter(tenant=world.tenant, kind="case.opened", case__purpose="real").count()


@COMMITTED
def test_it_holds_what_happened_as_people_know_it(world):
    miss_a_challenge(world)
    data = content(made(world))
    (stop,) = [row for row in rows_of(data, "switch") if row["reason"] == "drill in acme"]
    assert (stop["is_enabled"], stop["by"], stop["until"]) == (False, "Sue", None)
    assert [(row["tests"], row["failed"]) for row in rows_of(data, "self_tests")] == [(1, 0)]
    (missed,) = rows_of(data, "challenge_results")
    assert (missed["person"], missed["is_caught"]) == ("Rita", False)
    assert [row["person"] for row in rows_of(data, "training_alerts")] == ["Rita"]
    assert {row["account"]: row["missed"] for row in rows_of(data, "challenges_by_person")} == {"rita@acme": 1}
    assert {(row["account"], *row["roles"]) for row in rows_of(data, "roles")} >= {("cleo@acme", "compliance")}
    seals = rows_of(data, "seals")
    assert seals
    assert all(row["is_signed"] and row["is_chained"] for row in seals)


def test_policies_and_authorities_are_told_for_each_instant(world):
    system, now = system_actor(), db_now()
    kind = ActionType(tenant=world.tenant, name="issue_refund", title="Refund", schema={"type": "object"})
    kind.save_as(system, "created")
    small = ApprovalAuthority(tenant=world.tenant, code="small", name="Small", action_type=kind)
    small.save_as(system, "created")
    ada = world.person("ada", "approver")
    with pretend_now(now - timedelta(days=9)):
        authorities.grant(small, ada, actor=system, reason="long ago")
    with pretend_now(now - timedelta(days=8)):
        authorities.revoke(small, ada, actor=system, reason="before the window")
    with pretend_now(now - timedelta(hours=5)):
        authorities.grant(small, ada, actor=system, reason="again")
    with pretend_now(now - timedelta(hours=4)):
        authorities.revoke(small, ada, actor=system, reason="left")
    world.policy.auto_approve_above = 0.97
    policies.publish(world.policy, actor=system, reason="stricter")
    data = content(made(world))
    (held,) = rows_of(data, "authority_holders")
    assert (held["authority"], held["holder"], held["reason"]) == ("small", "Ada", "again")
    hours = datetime.fromisoformat(held["held_until"]) - datetime.fromisoformat(held["held_from"])
    assert hours == timedelta(hours=1)
    first, second = rows_of(data, "policy_versions")
    assert (first["version"], second["version"]) == (1, 2)
    assert first["in_force_until"] == second["in_force_from"]
    assert second["in_force_until"] is None
    assert second["document"] == PolicyVersion.objects.get(policy=world.policy, number=2).document


def test_sample_cases_are_drawn_by_the_seed_and_masked_as_the_tenant_wishes(world):
    data = content(made(world, seed="one"))
    cases = rows_of(data, "sample_cases")
    assert {row["drawn_as"] for row in cases} == {"approved automatically", "overridden"}
    assert {row["question"] for row in cases if row["drawn_as"] == "overridden"} == {"I am cu•••. May I?"}
    everything = b"".join(
        zipfile.ZipFile(io.BytesIO(data)).read(n) for n in zipfile.ZipFile(io.BytesIO(data)).namelist()
    )
    assert b"cust_98123" not in everything
    assert b"anna@example.com" not in everything
    lines = rows_of(data, "sample_timeline")
    assert {row["case_id"] for row in lines} == {row["case_id"] for row in cases}
    again = content(made(world, seed="one"))
    assert [row["case_id"] for row in rows_of(again, "sample_cases")] == [row["case_id"] for row in cases]


def test_nothing_of_another_tenant_and_no_challenge_as_a_case_is_inside(world):
    other = make_world("zebra")
    override(other, final_answer="zebra's answer")
    switch.stop(switch.Scope(other.tenant), actor=other.supervisor, reason="drill in zebra")
    for each in (other, world):
        miss_a_challenge(each)
    rollups.refresh()
    data = content(made(world))
    archive = zipfile.ZipFile(io.BytesIO(data))
    for name in archive.namelist():
        assert b"zebra" not in archive.read(name).lower(), name
    planted = world.tenant.cases.filter(purpose="challenge").get()
    for name in archive.namelist():
        assert planted.wire_id.encode() not in archive.read(name), name


def test_the_page_names_every_section_and_runs_nothing(world):
    archive = zipfile.ZipFile(io.BytesIO(content(made(world))))
    index, mapping = (archive.read(f"{name}.html").decode() for name in ("index", "mapping"))
    for section in SECTIONS:
        assert escape(section.shows) in index, section.key
        assert escape(section.not_shows) in index, section.key
    for one in EXPECTATIONS:
        assert escape(one.not_shows) in mapping, one.where
    for page in (index, mapping):
        assert "<script" not in page
        assert " style=" not in page
        assert "default-src 'none'" in page
    table = next(csv.reader(io.StringIO(archive.read("data/rates.csv").decode())))
    assert table[:3] == ["metric", "title", "value"]


def test_every_expectation_names_sections_that_there_are():
    assert {key for one in EXPECTATIONS for key in one.sections} <= set(BY_KEY)
    names = [table.name for section in SECTIONS for table in section.tables]
    assert len(names) == len(set(names))


# --- nothing can be changed -------------------------------------------------------------------------------------------


def test_any_changed_byte_is_found(world, keys, tmp_path):
    data = content(made(world))
    trusted = verify_pack.read_keys(keys.read_text())
    path = tmp_path / "pack.zip"
    path.write_bytes(data)
    assert verify_pack.check(path, trusted)["tenant"] == "acme"
    step = max(1, len(data) // 60)
    tail = range(len(data) - 40, len(data), 3)
    for at in {*range(0, len(data), step), *range(0, 60, 2), *tail}:
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
        with pytest.raises((Unreadable, OSError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile)):
            verify_pack.check(path, trusted)
    for shorter in (data[:-1], data + b"x", b"x" + data):
        path.write_bytes(shorter)
        with pytest.raises((Unreadable, zipfile.BadZipFile)):
            verify_pack.check(path, trusted)


def remade(data: bytes, path: Path, **changed: bytes | None) -> Path:
    """The archive laid out anew, with other contents for some files; None takes one out."""
    source = zipfile.ZipFile(io.BytesIO(data))
    files = {name: source.read(name) for name in source.namelist()}
    files |= {name.replace("__", "/").replace("_DOT_", "."): text for name, text in changed.items()}
    entries = [(n, len(t), verify_pack.opener_of(t)) for n, t in files.items() if t is not None]
    with path.open("wb") as target:
        verify_pack.lay_out(target, entries)
    return path


def test_a_file_that_was_changed_taken_out_or_added_is_named(world, keys, tmp_path):
    data = content(made(world))
    trusted = verify_pack.read_keys(keys.read_text())
    path = tmp_path / "other.zip"
    assert verify_pack.check(remade(data, path), trusted)
    for change, words in (
        ({"data__rates_DOT_csv": b"metric\n"}, "data/rates.csv was changed"),
        ({"data__seals_DOT_jsonl": None}, "data/seals.jsonl is missing"),
        ({"data__more_DOT_csv": b"x"}, "data/more.csv is not in the manifest"),
        ({"manifest_DOT_json": b"{}"}, "not the one that was signed"),
    ):
        with pytest.raises(Unreadable, match=words):
            verify_pack.check(remade(data, path, **change), trusted)
    audit_keys.make(tmp_path / "another.pem")
    theirs = verify_pack.read_keys((tmp_path / "another.pem.trusted").read_text())
    with pytest.raises(Unreadable, match="not on your list"):
        verify_pack.check(remade(data, path), theirs)


def test_a_plain_python_checks_it_with_the_programs_alone(world, keys, tmp_path):
    pack = tmp_path / "pack.zip"
    pack.write_bytes(content(made(world)))
    command = [sys.executable, "-S", verify_pack.__file__, str(pack), "--keys", str(keys)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout[:28]) == (0, "Every byte is the signed one"), done.stderr + done.stdout
    pack.write_bytes(pack.read_bytes().replace(b"drill in acme", b"drill in acmf"))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith("NOT PROVEN: "), done.stdout


@COMMITTED
def test_the_same_pack_made_twice_is_the_same_file(world):
    pack = made(world)
    first = content(pack)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE feedback_evidencepack DISABLE TRIGGER legal_state")
    EvidencePack.objects.filter(pk=pack.pk).update(state="queued", file_key="")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE feedback_evidencepack ENABLE ALWAYS TRIGGER legal_state")
    assert content(evidence_runs.run(pack.pk)) == first


# --- who may ----------------------------------------------------------------------------------------------------------


def test_it_takes_both_rights_and_every_download_is_kept(world):
    for person in (world.reviewer, world.supervisor, make_world("other").compliance):
        with pytest.raises(Denied):
            asked(world, actor=person)
    pack = made(world)
    with pytest.raises(Denied):
        evidence_packs.download(pack, actor=world.supervisor)
    with evidence_packs.download(pack, actor=world.compliance) as file:
        assert verify_pack.MANIFEST.encode() in file.read()
    kept = CaseEvent.objects.filter(tenant=world.tenant, subject=pack.wire_id).order_by("pk")
    assert [(event.kind, event.actor) for event in kept] == [
        ("export.requested", world.compliance),
        ("audit.exported", world.compliance),
        ("export.downloaded", world.compliance),
    ]
    assert kept[2].data["sha256"] == pack.sha256


def test_who_may_not_see_challenges_gets_a_pack_without_them_and_no_other(world):
    ada = world.person("ada", "tenant_admin")
    whole, without = made(world), made(world, actor=ada)
    archive = zipfile.ZipFile(io.BytesIO(content(without)))
    assert "data/challenge_results.jsonl" not in archive.namelist()
    assert "Left out: whoever asked for the pack may not read this part." in archive.read("index.html").decode()
    with evidence_packs.download(without, actor=ada):
        pass
    with pytest.raises(Denied):
        evidence_packs.download(whole, actor=ada)


def test_the_pages_ask_show_fetch_and_are_nobody_elses(world):
    client, stranger = Client(), Client()
    client.force_login(world.compliance, backend="django.contrib.auth.backends.ModelBackend")
    stranger.force_login(make_world("other").compliance, backend="django.contrib.auth.backends.ModelBackend")
    now = db_now()
    form = {"tenant": world.tenant.pk, "since_0": "", "since": f"{now - timedelta(days=1):%Y-%m-%d %H:%M:%S}"}
    form |= {"until": f"{now - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"}
    assert "It shows" in client.get(reverse("admin:feedback_evidencepack_new")).content.decode()
    assert stranger.post(reverse("admin:feedback_evidencepack_new"), form).status_code == 200
    assert not EvidencePack.objects.exists(), "another tenant is no choice of the form"
    asked = client.post(reverse("admin:feedback_evidencepack_new"), form)
    pack = EvidencePack.objects.get()
    page = reverse("admin:feedback_evidencepack_change", args=[pack.pk])
    assert asked["Location"] == page
    assert "0 of 12 parts" in client.get(page).content.decode()
    assert evidence_runs.sweep() == 1
    assert "Download" in client.get(page).content.decode()
    fetch = reverse("admin:feedback_evidencepack_download", args=[pack.pk])
    assert b"".join(client.get(fetch).streaming_content) == content(EvidencePack.objects.get())
    assert stranger.get(fetch).status_code == stranger.get(page).status_code == 302
    assert "acme" not in stranger.get(reverse("admin:feedback_evidencepack_changelist")).content.decode().lower()


# --- making it --------------------------------------------------------------------------------------------------------


@COMMITTED
def test_a_pack_that_is_cancelled_while_it_is_made_leaves_nothing(world, folder):
    pack = asked(world)

    def cancel(running: EvidencePack) -> None:
        if running.sections_done == 2:
            thread = threading.Thread(target=_cancel_apart, args=(pack, world))
            thread.start()
            thread.join()

    ended = evidence_runs.run(pack.pk, progress=cancel)
    assert (ended.state, ended.file_key) == ("cancelled", "")
    assert list((folder / "unfinished").iterdir()) == []
    with pytest.raises(NotCancellable):
        evidence_packs.cancel(pack.pk, actor=world.compliance)
    with pytest.raises(NotReady):
        evidence_packs.download(ended, actor=world.compliance)


def _cancel_apart(pack: EvidencePack, world: World) -> None:
    evidence_packs.cancel(pack.pk, actor=world.compliance)
    connection.close()


def test_a_pack_goes_on_after_its_last_whole_section(world):
    pack = asked(world)
    first = evidence_runs.run(pack.pk, seconds=0)
    assert (first.state, first.sections_done, first.attempts) == ("queued", 1, 0)
    begun: list[int] = []
    last = evidence_runs.run(pack.pk, progress=lambda running: begun.append(running.sections_done))
    assert last.state == "ready"
    assert min(begun) == 1, "the first section is not written again"
    assert last.sections_done == last.sections == len(SECTIONS)


def test_without_a_key_there_is_no_pack_and_the_page_says_why(world, settings):
    settings.AUDIT_SIGNING_KEY = ""
    pack = evidence_runs.run(asked(world).pk)
    assert pack.state == "failed"
    assert "AUDIT_SIGNING_KEY is not set" in pack.error


def test_windows_that_make_no_sense_are_refused(world):
    now = db_now()
    day = timedelta(days=1)
    for since, until in ((now, now - day), (now - day, now + day), (now - 400 * day, now)):
        with pytest.raises(WindowRefused):
            evidence_packs.request(world.tenant, since=since, until=until, actor=world.compliance)
    for _ in range(evidence_packs.MOST_WAITING):
        asked(world)
    with pytest.raises(TooManyExports):
        asked(world)


def test_an_old_file_is_removed_and_its_digest_stays(world):
    pack = made(world)
    with pretend_now(db_now() + evidence_runs.KEPT + timedelta(hours=1)):
        evidence_runs.sweep()
    old = EvidencePack.objects.get(pk=pack.pk)
    assert (old.state, old.sha256) == ("expired", pack.sha256)
    assert not storage().exists(pack.file_key)
    with pytest.raises(IntegrityError), transaction.atomic():
        EvidencePack.objects.filter(pk=pack.pk).update(state="queued")


def test_the_command_makes_one_and_says_what_is_wrong(world, keys, tmp_path):
    now, said = db_now(), StringIO()
    window = {"since": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", "until": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    out = tmp_path / "acme.zip"
    call_command("evidence_pack", tenant="acme", **window, output=str(out), stdout=said, stderr=StringIO())
    assert said.getvalue().startswith("pack_")
    assert verify_pack.main([str(out), "--keys", str(keys)]) == 0
    with pytest.raises(CommandError, match="no tenant called"):
        call_command("evidence_pack", tenant="nobody", **window)
    with pytest.raises(CommandError, match="no instant"):
        call_command("evidence_pack", tenant="acme", since="yesterday", until=window["until"])
