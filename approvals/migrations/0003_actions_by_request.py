"""What one request changed of actions, for the audit trail: see ``cases.guards``."""

from django.db import migrations

from cases.guards import by_request


class Migration(migrations.Migration):
    dependencies = (("approvals", "0002_guards"),)

    operations = (by_request("approvals_historicalproposedaction"),)
