"""Whoever verifies while old audit rows are removed sees each removal whole or not at all."""

import pytest

from cases import audit_keys
from cases.clock import db_now, pretend_now
from cases.models import DataView, RetentionRule
from cases.models.people import system_actor
from cases.services import removal
from cases.services.data_views import keep_view
from cases.services.seal_checks import verify
from tests.cases.sealed import seal_all
from tests.cases.test_removal import A_YEAR, LATER, remove
from tests.threads import in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_verifies_while_rows_are_removed_sees_each_removal_whole_or_not_at_all(tmp_path, settings, monkeypatch):
    settings.AUDIT_SIGNING_KEY = str(tmp_path / "audit.pem")
    audit_keys.make(tmp_path / "audit.pem")
    world, at = make_world("acme"), db_now() + LATER
    RetentionRule(tenant=world.tenant, audit_days=A_YEAR).save_as(system_actor(), "decided")
    for _ in range(3):
        keep_view(world.compliance, world.submit(), DataView.What.CASE, at=db_now())
        seal_all()
    monkeypatch.setattr(removal, "BATCH", 1)

    def read() -> list:
        with pretend_now(at):
            return [found for _ in range(4) for found in verify().findings]

    def take() -> int:
        with pretend_now(at):
            return remove(world)

    *findings, removed = in_parallel([read, read, take])
    assert findings == [[], []] and removed >= 3
