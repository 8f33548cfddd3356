"""The transaction id, by which audit rows are sealed, on the tables that had none."""

from django.db import migrations

import cases.history


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0002_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="exportedlabel",
            name="xid",
            field=cases.history.XactIdField(),
        ),
        migrations.AddField(
            model_name="exportedoverride",
            name="xid",
            field=cases.history.XactIdField(),
        ),
    ]
