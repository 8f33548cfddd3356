"""What the database refuses: see ``cases.guards`` and ``approvals.guards``."""

from django.db import migrations

from approvals import guards, states
from cases.guards import append_only, by_request, by_time, legal_state

APPEND_ONLY = (
    "approvals_actionpreview",
    "approvals_actionrevision",
    "approvals_actiontypeversion",
    "approvals_actionvote",
    "approvals_authoritygrant",
    "approvals_executionresult",
    "approvals_historicalactiontype",
    "approvals_historicalapprovalauthority",
    "approvals_historicalimpactrule",
    "approvals_historicalproposedaction",
)


class Migration(migrations.Migration):
    dependencies = (("approvals", "0001_initial"),)

    operations = (
        legal_state("approvals_proposedaction", states.INITIAL, states.MOVES),
        guards.SIGNED,
        guards.FOUR_EYES,
        guards.EXECUTED_ONCE,
        *map(append_only, APPEND_ONLY),
        by_time("approvals_historicalproposedaction"),
        by_request("approvals_historicalproposedaction"),
    )
