"""An index that the audit trail reads."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("feedback", "0002_guards"),)

    operations = (
        migrations.AddIndex(
            model_name="correctionlabel",
            index=models.Index(fields=["tenant", "-at", "-id"], name="labels_by_time"),
        ),
    )
