"""What the database refuses: see ``cases.guards``."""

from django.db import migrations

from approvals import states
from cases.guards import append_only, legal_state

APPEND_ONLY = (
    "approvals_historicalactiontype",
    "approvals_historicalapprovalauthority",
    "approvals_historicalimpactrule",
    "approvals_historicalproposedaction",
)


class Migration(migrations.Migration):
    dependencies = (("approvals", "0002_initial"),)

    operations = (
        legal_state("approvals_proposedaction", states.INITIAL, states.MOVES),
        *map(append_only, APPEND_ONLY),
    )
