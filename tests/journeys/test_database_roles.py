"""The application as a role that owns nothing: it works, and cannot alter its own audit trail."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import Case, RetentionRule, Seal
from cases.models.people import system_actor
from cases.services import database_roles, removal, sealing
from cases.services.database_roles import RoleUnfit, audit_tables
from cases.services.removal import RemovalRefused
from cases.services.seal_checks import verify
from feedback.kinds import Kind as FileKind
from feedback.labels import Label
from feedback.models import Review
from feedback.services import evidence_packs, evidence_runs, labels, reviews
from feedback.submission import Submission
from tests.approvals.desks import fresh, make_desk, run_due
from tests.approvals.till import Till
from tests.cases.erasing import erase
from tests.cases.sealed import audit_key, seal_all
from tests.feedback.corrections import override
from tests.feedback.exporting import folder, made
from tests.worlds import make_world

__all__ = ["audit_key", "folder"]

ROLE = "countersign_app_of_tests"


@pytest.fixture
def as_application(transactional_db):
    """The tests' connection, signed in as the role that ``database_roles`` made; the owner's again afterwards."""
    call_command("database_roles", ROLE)
    owner = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = ROLE
    yield
    connection.close()
    connection.settings_dict["USER"] = owner
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def test_the_application_works_as_it_and_cannot_alter_its_audit_trail(as_application, audit_key):
    world = make_world(undo_seconds=0)
    case = world.submit()
    entry = world.claim()
    reviews.submit(
        case.pk,
        Submission(verdict="edit", final_answer="No: 30 days."),
        actor=world.reviewer,
        generation=entry.generation,
    )
    assert Case.objects.get(pk=case.pk).state == "approved"
    labels.label(Review.objects.get(case=case).pk, Label.MODEL_ERROR, actor=world.supervisor)
    assert sealing.seal_due().seals == 1
    assert verify().findings == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user")
        assert cursor.fetchone() == (ROLE, ROLE)
    assert Seal.objects.count() == 1
    for table, key in audit_tables().items():
        for statement in (
            f'DELETE FROM "{table}"',
            f'UPDATE "{table}" SET "{_another_column(table, key)}" = NULL',
            f'TRUNCATE "{table}"',
            f'ALTER TABLE "{table}" DISABLE TRIGGER append_only',
            f'ALTER TABLE "{table}" ADD COLUMN x text',
            f'DROP TRIGGER append_only ON "{table}"',
            f'CREATE TRIGGER x BEFORE INSERT ON "{table}" EXECUTE FUNCTION refuse_change()',
            f'DROP TABLE "{table}" CASCADE',
        ):
            said = refusal(statement)
            assert "permission denied" in said or "must be owner" in said, statement
        assert "is append-only" in refusal(f'UPDATE "{table}" SET "{key}" = "{key}"'), "allowed for the sake of locks"
    for statement in (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "CREATE TABLE x (y int)",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "DELETE FROM django_migrations",
    ):
        assert "denied" in refusal(statement), statement
    assert database_roles.what_the_application_could() == []
    call_command("database_roles", "--check")


def test_an_action_is_carried_out_files_are_made_and_texts_erased_as_it(as_application, audit_key, folder, settings):
    """Everything else that writes: signatures and executions, data sets, evidence, an erasure; and no removal."""
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk()
    action = desk.approve(desk.propose())
    run_due()
    assert fresh(action).state == "executed"
    assert Till.paid[action.wire_id]["amount"] == "420.00"
    world = desk.world
    review = override(world, case={"customer": {"reference": "cust-numbat"}})
    labels.label(review.pk, Label.MODEL_ERROR, actor=world.supervisor)
    assert made(world, FileKind.GOLDEN_EVALS).rows_written == 1
    seal_all()
    now = db_now()
    pack = evidence_packs.request(world.tenant, since=now - timedelta(days=1), until=now, actor=world.compliance)
    assert evidence_runs.run(pack.pk).state == "ready"
    receipt = erase(world, reference="cust-numbat")
    assert receipt.counts["exports"] == receipt.counts["evidence_packs"] == 1
    rule = RetentionRule(tenant=world.tenant, audit_days=183)
    rule.save_as(world.compliance, "decided")
    with pretend_now(now + timedelta(days=400)), pytest.raises(RemovalRefused, match="owner of the tables"):
        removal.run(rule, actor=system_actor(), reason="decided")
    seal_all()
    assert verify().findings == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (ROLE,)


def _another_column(table: str, key: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> %s LIMIT 1",
            [table, key],
        )
        return cursor.fetchone()[0]


def refusal(statement: str) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return str(error)
    return "nothing was refused"


@pytest.mark.django_db
def test_it_may_be_run_again_and_a_dry_run_changes_nothing_and_tells_no_password(capsys, monkeypatch):
    monkeypatch.setenv("RUNTIME_DATABASE_PASSWORD", "opensesame")
    call_command("database_roles", ROLE, "--dry-run")
    said = capsys.readouterr().out
    assert f'CREATE ROLE "{ROLE}" LOGIN NOSUPERUSER' in said
    assert f'GRANT SELECT, INSERT ON "public"."cases_caseevent" TO "{ROLE}"' in said
    assert f'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."cases_case" TO "{ROLE}"' in said
    assert "opensesame" not in said
    call_command("database_roles", ROLE)
    call_command("database_roles", ROLE)


@pytest.mark.django_db
def test_an_owner_or_a_superuser_is_refused_as_the_application():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        owner = cursor.fetchone()[0]
        cursor.execute(f"CREATE ROLE {ROLE} IN ROLE {owner}")
    for role in (owner, ROLE):
        with pytest.raises(RoleUnfit, match="Nothing was changed"):
            list(database_roles.statements(role))
    with pytest.raises(CommandError, match="it is a superuser, owns them"):
        call_command("database_roles", "--check")


@pytest.mark.django_db
def test_the_deployment_check_warns_of_an_owner(settings, capsys):
    settings.INSECURE_HTTP = False
    call_command("check", "--deploy", "--database", "default", "--tag", "database")
    said = capsys.readouterr()
    assert "could alter its own audit tables" in said.out + said.err
    assert "docs/production.md" in said.out + said.err
