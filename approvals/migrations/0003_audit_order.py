"""Indexes that the audit trail reads: see ``cases.guards.by_time``."""

from django.db import migrations

from cases.guards import by_time


class Migration(migrations.Migration):
    dependencies = (("approvals", "0002_guards"),)

    operations = (by_time("approvals_historicalproposedaction"),)
