"""Seals, and the transaction id on what had none; what the database refuses: see ``cases.guards``."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.db import migrations, models

import cases.history
import cases.ids
from cases.guards import append_only

APPEND_ONLY = (
    "cases_headreceipt",
    "cases_historicalsealpublishing",
    "cases_seal",
    "cases_sealedtable",
    "cases_sealshape",
)


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="SealShape",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("table", models.CharField(max_length=63)),
                (
                    "columns",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=73), size=None),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SealVerification",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("next_number", models.BigIntegerField(default=1)),
                ("rows", models.BigIntegerField(default=0)),
                ("findings", models.JSONField(default=list, help_text="What is broken, in words, up to a bound.")),
            ],
            options={
                "get_latest_by": "id",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="draft",
            name="xid",
            field=cases.history.XactIdField(),
        ),
        migrations.AddField(
            model_name="rulefailure",
            name="xid",
            field=cases.history.XactIdField(),
        ),
        migrations.AddField(
            model_name="selftest",
            name="xid",
            field=cases.history.XactIdField(),
        ),
        migrations.AlterField(
            model_name="caseevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("case.opened", "Opened"),
                    ("case.auto_approved", "Approved automatically"),
                    ("case.draft_requested", "New draft requested"),
                    ("case.draft_received", "New draft received"),
                    ("case.redraft_overdue", "No new draft came in time"),
                    ("case.decided", "Decided"),
                    ("case.undone", "Decision undone"),
                    ("case.voted", "Vote given"),
                    ("case.vote_undone", "Vote taken back"),
                    ("case.split", "Reviewers disagree"),
                    ("case.second_look", "Second look asked for"),
                    ("case.looked_again", "Second look done"),
                    ("case.recalled", "Recalled"),
                    ("case.reopened", "Reopened"),
                    ("case.withdrawn", "Withdrawn"),
                    ("case.escalated", "A person was asked for"),
                    ("case.satisfaction", "Satisfaction reported"),
                    ("case.audited", "Automatic approval confirmed"),
                    ("case.sla_breached", "Deadline missed"),
                    ("case.skipped", "Skipped"),
                    ("case.snoozed", "Snoozed"),
                    ("case.declined", "Declined for a conflict"),
                    ("case.consulted", "Colleague asked"),
                    ("case.consult_ended", "Question to a colleague ended"),
                    ("case.taken_back", "Taken back"),
                    ("case.assigned", "Given to a person"),
                    ("case.customer_told", "Customer told"),
                    ("case.customer_not_told", "Customer could not be told"),
                    ("action.pending", "Action waits for approval"),
                    ("action.approved", "Action approved"),
                    ("action.rejected", "Action rejected"),
                    ("action.executed", "Action executed"),
                    ("action.failed", "Action failed"),
                    ("action.unknown", "Action's result unknown"),
                    ("action.expired", "Action expired"),
                    ("action.cancelled", "Action cancelled"),
                    ("action.signed", "Action signed"),
                    ("action.unsigned", "Approval no longer stands"),
                    ("action.edited", "Action edited"),
                    ("action.drifted", "Action changed since it was shown"),
                    ("action.sent", "Action sent to its executor"),
                    ("automation.stopped", "Automation stopped"),
                    ("automation.resumed", "Automation resumed"),
                    ("export.ready", "Export ready"),
                    ("export.requested", "Export requested"),
                    ("export.cancelled", "Export cancelled"),
                    ("export.failed", "Export failed"),
                    ("export.downloaded", "Export downloaded"),
                    ("export.pushed", "Export pushed to another system"),
                    ("audit.head", "Head of the audit trail published"),
                    ("audit.exported", "Part of the audit trail exported"),
                ],
                max_length=24,
            ),
        ),
        migrations.CreateModel(
            name="HistoricalSealPublishing",
            fields=[
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("xid", cases.history.XactIdField()),
                ("id", models.UUIDField(db_index=True, default=cases.ids.new_id, editable=False)),
                (
                    "to_folder",
                    models.BooleanField(
                        default=True,
                        help_text="Into the tenant's folder of the installation's store for heads.",
                        verbose_name="as a file",
                    ),
                ),
                (
                    "to_webhooks",
                    models.BooleanField(
                        default=False,
                        help_text="The event audit.head, to every endpoint that asks for it.",
                        verbose_name="as a webhook",
                    ),
                ),
                (
                    "to_channels",
                    models.BooleanField(
                        default=False,
                        help_text="The notice audit.head, to the team's channels: e-mail, chat.",
                        verbose_name="as a notice",
                    ),
                ),
                (
                    "every_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="At most so often, and only when there is a new seal.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(744),
                        ],
                    ),
                ),
                ("history_user_id", models.UUIDField(null=True)),
                ("history_change_reason", models.CharField(max_length=200, null=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="cases.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical publishing of seals",
                "verbose_name_plural": "historical publishing of seals",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("header", models.BinaryField()),
                ("digest", models.BinaryField(help_text="SHA-256 of the header.", unique=True)),
                (
                    "previous",
                    models.BinaryField(
                        help_text="Digest of the seal before it: unique, so no chain forks.", unique=True
                    ),
                ),
                ("from_xid", models.BigIntegerField(unique=True)),
                ("upto_xid", models.BigIntegerField(unique=True)),
                ("rows", models.PositiveIntegerField()),
                ("contents", models.BinaryField()),
                ("key_id", models.CharField(max_length=16, verbose_name="key")),
                ("signature", models.BinaryField()),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "seal",
                "get_latest_by": "number",
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("upto_xid__gt", models.F("from_xid"))), name="seals_go_on"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SealPublishing",
            fields=[
                ("id", models.UUIDField(default=cases.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "to_folder",
                    models.BooleanField(
                        default=True,
                        help_text="Into the tenant's folder of the installation's store for heads.",
                        verbose_name="as a file",
                    ),
                ),
                (
                    "to_webhooks",
                    models.BooleanField(
                        default=False,
                        help_text="The event audit.head, to every endpoint that asks for it.",
                        verbose_name="as a webhook",
                    ),
                ),
                (
                    "to_channels",
                    models.BooleanField(
                        default=False,
                        help_text="The notice audit.head, to the team's channels: e-mail, chat.",
                        verbose_name="as a notice",
                    ),
                ),
                (
                    "every_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="At most so often, and only when there is a new seal.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(744),
                        ],
                    ),
                ),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal_publishing", to="cases.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "publishing of seals",
                "verbose_name_plural": "publishing of seals",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="HeadReceipt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "way",
                    models.CharField(
                        choices=[("folder", "File"), ("webhooks", "Webhook"), ("channels", "Notice")], max_length=8
                    ),
                ),
                ("at", models.DateTimeField()),
                ("detail", models.JSONField(default=dict)),
                ("xid", cases.history.XactIdField()),
                (
                    "tenant",
                    models.ForeignKey(
                        help_text="None: the installation's own.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="cases.tenant",
                    ),
                ),
                (
                    "seal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="receipts", to="cases.seal"
                    ),
                ),
            ],
            options={
                "verbose_name": "published head",
                "default_permissions": (),
                "indexes": [models.Index(fields=["tenant", "way", "-at"], name="receipts_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "seal", "way"), name="a_head_leaves_once_on_each_way"),
                    models.UniqueConstraint(
                        condition=models.Q(("tenant", None)),
                        fields=("seal", "way"),
                        name="a_head_of_the_house_leaves_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SealedTable",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("table", models.CharField(max_length=63)),
                ("digests", models.BinaryField(help_text="The leaves, 32 bytes each, by transaction and key.")),
                ("keys", models.BinaryField(help_text="The primary keys in the same order, one a line.")),
                (
                    "seal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tables", to="cases.seal"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("seal", "table"), name="tables_are_sealed_once_in_a_seal")
                ],
            },
        ),
        *map(append_only, APPEND_ONLY),
    ]
