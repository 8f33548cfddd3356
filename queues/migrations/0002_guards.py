"""What the database refuses: see ``cases.guards``."""

from django.db import migrations

from cases.guards import append_only

APPEND_ONLY = (
    "queues_passage",
    "queues_aside",
    "queues_stepfired",
    "queues_historicalquorumrule",
    "queues_historicalslastep",
    "queues_historicalbusinesscalendar",
    "queues_historicalqueue",
    "queues_historicalreviewer",
    "queues_historicalreviewerskill",
    "queues_historicalskill",
    "queues_historicalslapolicy",
)


class Migration(migrations.Migration):
    dependencies = (("queues", "0001_initial"),)

    operations = (
        migrations.RunSQL("CREATE SEQUENCE queues_generation AS bigint", "DROP SEQUENCE queues_generation"),
        *map(append_only, APPEND_ONLY),
    )
