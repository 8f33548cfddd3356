from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_guards")]

    operations = [
        migrations.AddIndex(
            model_name="proposedaction",
            index=models.Index(fields=["action_type", "-id"], name="action_of_type"),
        ),
    ]
