"""A selection of audit rows with its proof, checked without the database; and heads on their ways out of the house."""

import io
import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from cases import audit_keys, verify_selection
from cases.clock import db_now, pretend_now
from cases.errors import NotFound
from cases.models import (
    CaseEvent,
    Delivery,
    Denial,
    HeadReceipt,
    Notice,
    NoticeChannel,
    Seal,
    SealPublishing,
    SealVerification,
    WebhookEndpoint,
)
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import head_publishing, seal_proofs, seal_rounds, sealing
from cases.services.audit import keep_denial
from cases.services.seal_checks import Head, verify
from cases.services.sealing import export_selection
from cases.signing import new_secret
from tests.cases.sealed import as_owner, audit_key, publish, seal_all
from tests.worlds import make_world

__all__ = ["audit_key"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(audit_key, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 8)
    world = make_world()
    for _ in range(3):
        world.submit()
    seal_all()
    return world


def trail_of(world) -> list[tuple[str, str]]:
    """Something of a case from several tables."""
    case = world.tenant.cases.earliest("opened_at")
    found = [("cases_caseevent", str(event.pk)) for event in case.events.all()]
    found += [("cases_historicalcase", str(row.pk)) for row in case.history.all()]
    return [*found, ("cases_draft", str(case.current_draft_id))]


def check(tmp_path: Path, data: bytes, *more: str, keys: str) -> tuple[int, str]:
    """The stand-alone program's exit code and words, run by a Python without any package."""
    export = tmp_path / "export.zip"
    export.write_bytes(data)
    command = [sys.executable, "-I", "-S", verify_selection.__file__, str(export), "--keys", keys, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def remade(data: bytes, change) -> bytes:
    """The zip again, with what ``change`` makes of its rows and seals."""
    source = zipfile.ZipFile(io.BytesIO(data))
    files = {name: source.read(name).decode() for name in source.namelist()}
    rows, seals = ([json.loads(line) for line in files[name].splitlines()] for name in ("rows.jsonl", "seals.jsonl"))
    change(rows, seals)
    files |= {"rows.jsonl": "\n".join(map(json.dumps, rows)), "seals.jsonl": "\n".join(map(json.dumps, seals))}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return made.getvalue()


def test_a_selection_is_proven_without_the_database_and_any_change_is_seen(world, audit_key, tmp_path):
    keys, head = f"{audit_key}.trusted", publish(tmp_path)
    rows = trail_of(world)
    data = export_selection(world.tenant, rows, actor=world.compliance, reason="asked by the regulator")
    code, said = check(tmp_path, data, "--head", str(head), keys=keys)
    assert (code, f"{len(rows)} of {len(rows)} rows of acme are proven" in said) == (0, True), said
    about = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("selection.json"))
    assert (about["exported_by"], about["reason"]) == (world.compliance.username, "asked by the regulator")
    event = CaseEvent.objects.get(kind="audit.exported")
    assert (event.actor, event.data["rows"], event.note.text) == (
        world.compliance,
        len(rows),
        {"note": "asked by the regulator"},
    )

    def edit(rows, seals):
        rows[0]["row"] = rows[0]["row"].replace("case.opened", "case.closed")

    def rename(rows, seals):
        rows[0]["pk"] = rows[1]["pk"]

    def forge(rows, seals):
        seals[-1]["header"] = seals[-1]["header"].replace("countersign-seal-1", "countersign-seal-2")

    def unsign(rows, seals):
        seals[0]["signature"] = "00" * 64

    def drop(rows, seals):
        rows.pop()

    for change in (edit, rename, forge, unsign, drop):
        code, said = check(tmp_path, remade(data, change), keys=keys)
        assert (code, "NOT PROVEN" in said) == (1, True), (change.__name__, said)
    assert check(tmp_path, b"no zip", keys=keys)[0] == 2


def test_the_verifier_believes_no_key_but_those_it_is_given(world, tmp_path):
    audit_keys.make(tmp_path / "other.pem")
    data = export_selection(world.tenant, trail_of(world), actor=world.compliance, reason="r")
    code, said = check(tmp_path, data, keys=str(tmp_path / "other.pem.trusted"))
    assert (code, "unknown format or key" in said) == (1, True)


def test_the_verifiers_own_arithmetic_agrees_with_the_library(audit_key):
    key = audit_keys.signing_key()
    public = audit_keys.raw(key.public_key())
    for message in (b"", b"x" * 1000):
        signature = key.sign(message)
        assert verify_selection.is_signed(public, message, signature)
        assert not verify_selection.is_signed(public, message + b"y", signature)
        assert not verify_selection.is_signed(public, message, signature[:-1] + bytes([signature[-1] ^ 1]))
        assert not verify_selection.is_signed(bytes(32), message, signature)


def test_a_head_published_earlier_pins_the_export_and_another_one_refuses_it(world, audit_key, tmp_path):
    head_publishing.publish_due()
    early = publish(tmp_path)
    world.submit()
    seal_all()
    data = export_selection(world.tenant, trail_of(world), actor=world.compliance, reason="r")
    code, said = check(tmp_path, data, "--head", str(early), keys=f"{audit_key}.trusted")
    assert (code, "stand in seals up to the published head" in said) == (0, True), said
    sealed_later = tmp_path / "later.json"
    world.submit()
    seal_all()
    sealed_later.write_bytes(head_publishing.document(Seal.objects.latest()))
    code, said = check(tmp_path, data, "--head", str(sealed_later), keys=f"{audit_key}.trusted")
    assert (code, "newer than the export" in said) == (1, True)


def test_a_row_too_young_for_a_seal_is_exported_and_said_to_be_unproven(world, audit_key, tmp_path):
    case = world.submit()
    row = ("cases_draft", str(case.current_draft_id))
    data = export_selection(world.tenant, [row], actor=world.compliance, reason="r")
    code, said = check(tmp_path, data, keys=f"{audit_key}.trusted")
    assert (code, "not sealed yet" in said) == (1, True)


def test_a_row_that_was_changed_in_the_database_is_not_proven_by_its_export(world, audit_key, tmp_path):
    rows = trail_of(world)
    with as_owner("cases_caseevent") as cursor:
        cursor.execute("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [rows[0][1]])
    data = export_selection(world.tenant, rows, actor=world.compliance, reason="r")
    code, said = check(tmp_path, data, keys=f"{audit_key}.trusted")
    assert (code, f"{rows[0][1]}: it does not stand in seal" in said) == (1, True)


def test_nobody_exports_anothers_rows_or_without_the_right(world):
    other = make_world("other")
    rows = trail_of(world)
    for selection in (rows, [("cases_case", rows[0][1])], [("cases_draft", "nonsense")], [("cases_selftest", "1")]):
        with pytest.raises(NotFound):
            export_selection(other.tenant, selection, actor=other.compliance, reason="r")
    with pytest.raises(Denied):
        export_selection(world.tenant, rows, actor=world.reviewer, reason="r")
    with pytest.raises(Denied):
        export_selection(world.tenant, rows, actor=other.compliance, reason="r")
    assert not CaseEvent.objects.filter(kind="audit.exported").exists()


def test_an_export_is_bounded(world, monkeypatch):
    monkeypatch.setattr(seal_proofs, "MOST_ROWS", 2)
    with pytest.raises(seal_proofs.SelectionTooLarge, match="Nothing was exported"):
        export_selection(world.tenant, trail_of(world), actor=world.compliance, reason="r")


def test_every_tenants_table_finds_its_tenant():
    without = {model._meta.db_table for model in sealing.sealed_models() if not seal_proofs.tenant_path(model)}
    assert without == {"cases_selftest"}, "the sandbox's, of no tenant"


# --- publishing ------------------------------------------------------------------------------------------------------


def test_heads_go_where_the_tenant_wants_them_and_no_oftener(world, tmp_path):
    system = system_actor()
    make_world("silent")
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://acme.example/hook", secret=new_secret())
    endpoint.save_as(system)
    NoticeChannel(tenant=world.tenant, name="Team", email="audit@acme.example").save_as(system)
    SealPublishing(tenant=world.tenant, to_webhooks=True, to_channels=True, every_hours=6).save_as(system)
    seal_all()
    head = Seal.objects.latest()
    assert head_publishing.publish_due() == 4
    ways = set(HeadReceipt.objects.values_list("tenant__slug", "way", "seal"))
    assert ways == {(None, "folder", head.pk)} | {("acme", way, head.pk) for way in ("folder", "webhooks", "channels")}
    files = sorted(path.relative_to(tmp_path / "heads") for path in (tmp_path / "heads").rglob("*.json"))
    assert [str(path.parent) for path in files] == ["acme", "installation"]
    text = (tmp_path / "heads" / files[0]).read_text()
    assert verify(heads=[Head.load(text)]).findings == []
    delivery = Delivery.objects.get(event__kind="audit.head")
    assert (delivery.endpoint, delivery.event.data) == (endpoint, json.loads(text))
    assert head.hex in Notice.objects.get(kind="audit.head").text
    assert head_publishing.publish_due() == 0
    seal_all()  # The receipts are audit rows too.
    assert Seal.objects.latest().pk > head.pk
    assert head_publishing.publish_due() == 0
    with pretend_now(db_now() + timedelta(hours=7)):
        assert head_publishing.publish_due() == 3
    with pretend_now(db_now() + timedelta(hours=25)):
        seal_all()
        assert head_publishing.publish_due() == 4


def test_a_published_file_is_never_written_over(world, tmp_path):
    head_publishing.publish_due()
    (file,) = (tmp_path / "heads" / "installation").iterdir()
    file.write_text("ours now")
    with transaction.atomic(), as_owner("cases_headreceipt") as cursor:
        cursor.execute("DELETE FROM cases_headreceipt")
    head_publishing.publish_due()
    assert file.read_text() == "ours now"


# --- by itself, and its pages ----------------------------------------------------------------------------------------


def test_the_daily_verification_goes_on_in_slices_and_turns_the_page_red_when_something_is_wrong(world):
    while (run := seal_rounds.go_on(seconds=1e-9)) and run.ended_at is None:
        pass
    assert run.findings == []
    assert run.next_number == Seal.objects.count() + 1
    assert seal_rounds.go_on() is None, "once a day"
    assert sealing.standing(db_now()).problem == ""
    event = CaseEvent.objects.filter(tenant=world.tenant).earliest("id")
    with as_owner("cases_caseevent") as cursor:
        cursor.execute("UPDATE cases_caseevent SET data = '{}' WHERE id = %s", [event.pk])
    with pretend_now(db_now() + timedelta(hours=25)):
        run = seal_rounds.go_on()
    assert str(event.pk) in run.findings[0]
    body = Client().get("/health/").json()
    assert any("does not verify" in problem for problem in body["problems"])


def test_a_sealer_that_stopped_is_missed(world):
    assert sealing.standing(db_now()).problem == ""
    assert "not being sealed" in sealing.standing(db_now() + timedelta(minutes=20)).problem
    seal_rounds.go_on()
    with pretend_now(db_now() + timedelta(days=4)):
        sealing.seal_due()
        assert "three days" in sealing.standing(db_now()).caution


def test_without_a_key_production_is_cautioned(settings):
    settings.AUDIT_SIGNING_KEY, settings.INSECURE_HTTP = "", False
    assert "AUDIT_SIGNING_KEY" in sealing.standing(db_now()).caution


def test_compliance_reads_the_seals_takes_a_head_along_and_learns_no_volumes(world):
    head_publishing.publish_due()
    seal_rounds.go_on()
    client = Client()
    client.force_login(world.compliance, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("admin:cases_seal_changelist"))
    assert page.status_code == 200
    text = page.content.decode()
    head = Seal.objects.latest()
    assert head.hex in text
    assert "everything as it was sealed" in text
    assert 'class="column-rows' not in text
    assert client.get(reverse("admin:cases_seal_change", args=[head.pk])).status_code == 200
    file = client.get(reverse("admin:cases_seal_head", args=[head.pk]))
    assert Head.load(file.content.decode()).header == bytes(head.header)
    assert client.get(reverse("admin:cases_seal_head", args=[999_999])).status_code == 404
    client.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    for name, arguments in (("cases_seal_changelist", []), ("cases_seal_change", [head.pk])):
        assert client.get(reverse(f"admin:{name}", args=arguments)).status_code in (302, 403)
    assert client.get(reverse("admin:cases_seal_head", args=[head.pk])).status_code == 404


def test_an_outsider_sees_receipts_of_their_own_tenant_only(world):
    other = make_world("other")
    for one in (world, other):
        SealPublishing(tenant=one.tenant).save_as(system_actor())
    head_publishing.publish_due()
    keep_denial(Denied(other.reviewer, "view_audit", other.tenant))
    assert Denial.objects.exists()
    client = Client()
    client.force_login(other.compliance, backend="django.contrib.auth.backends.ModelBackend")
    text = client.get(reverse("admin:cases_headreceipt_changelist")).content.decode()
    assert "other/seal-" in text
    assert "acme" not in text
    assert "installation/" not in text


def test_the_queries_of_the_page_do_not_grow(world, django_assert_max_num_queries):
    client = Client()
    client.force_login(world.compliance, backend="django.contrib.auth.backends.ModelBackend")
    with django_assert_max_num_queries(25):
        client.get(reverse("admin:cases_seal_changelist"))
    assert connection.vendor == "postgresql"
    assert SealVerification.objects.count() == 0
