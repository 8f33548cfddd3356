"""What the database refuses: see ``cases.guards``."""

from django.db import migrations

from cases.guards import append_only

APPEND_ONLY = ("feedback_review",)


class Migration(migrations.Migration):
    dependencies = (("feedback", "0001_initial"),)

    operations = (*map(append_only, APPEND_ONLY),)
