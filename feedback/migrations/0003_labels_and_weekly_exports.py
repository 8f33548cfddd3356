"""Labels of corrections, and the weekly export; with what the database refuses (see ``cases.guards``)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import cases.history
import cases.ids
from cases.guards import append_only, legal_state
from feedback.states import EXPORT_INITIAL, EXPORT_MOVES

APPEND_ONLY = ("feedback_correctionlabel", "feedback_exportedoverride", "feedback_exportedlabel")


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0003_label_right"),
        ("feedback", "0002_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CorrectionLabel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "label",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("model_error", "Model error"),
                            ("bad_retrieval", "Bad retrieval"),
                            ("temporary_policy", "Temporary policy"),
                            ("one_off_context", "One-off context"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("person", "A person"), ("import", "Import")], default="person", max_length=6
                    ),
                ),
                ("at", models.DateTimeField()),
                ("xid", cases.history.XactIdField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ExportedLabel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "was",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("model_error", "Model error"),
                            ("bad_retrieval", "Bad retrieval"),
                            ("temporary_policy", "Temporary policy"),
                            ("one_off_context", "One-off context"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("model_error", "Model error"),
                            ("bad_retrieval", "Bad retrieval"),
                            ("temporary_policy", "Temporary policy"),
                            ("one_off_context", "One-off context"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ExportedOverride",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "label",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("model_error", "Model error"),
                            ("bad_retrieval", "Bad retrieval"),
                            ("temporary_policy", "Temporary policy"),
                            ("one_off_context", "One-off context"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="WeeklyExport",
            fields=[
                ("id", models.UUIDField(default=cases.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("year", models.PositiveSmallIntegerField()),
                ("week", models.PositiveSmallIntegerField()),
                ("starts_at", models.DateTimeField(help_text="Monday 00:00 on the tenant's clock.")),
                ("ends_at", models.DateTimeField()),
                (
                    "watermark",
                    models.CharField(
                        help_text="Every transaction below this one had ended when the rows were fixed.", max_length=20
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("frozen", "Being written"), ("ready", "Ready")], default="frozen", max_length=6
                    ),
                ),
                ("counts", models.JSONField(default=dict, help_text="overrides, of them late, and corrections.")),
                ("files", models.JSONField(default=list, help_text="Per file: key, sha256, bytes, rows.")),
                ("frozen_at", models.DateTimeField()),
                ("ready_at", models.DateTimeField(null=True)),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("leased_until", models.DateTimeField(help_text="Until then somebody is writing it.", null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[],
            options={
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("feedback.review",),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("is_override", True), ("kind", "decision")),
                fields=["tenant", "id"],
                name="corrections",
            ),
        ),
        migrations.AddField(
            model_name="correctionlabel",
            name="labelled_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="correctionlabel",
            name="note",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cases.content"
            ),
        ),
        migrations.AddField(
            model_name="correctionlabel",
            name="review",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="labels", to="feedback.review"
            ),
        ),
        migrations.AddField(
            model_name="correctionlabel",
            name="supersedes",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="superseded_by",
                to="feedback.correctionlabel",
            ),
        ),
        migrations.AddField(
            model_name="correctionlabel",
            name="tenant",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cases.tenant"),
        ),
        migrations.AddField(
            model_name="exportedoverride",
            name="review",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="exported", to="feedback.review"
            ),
        ),
        migrations.AddField(
            model_name="exportedlabel",
            name="override",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="later_labels", to="feedback.exportedoverride"
            ),
        ),
        migrations.AddField(
            model_name="weeklyexport",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="weekly_exports", to="cases.tenant"
            ),
        ),
        migrations.AddField(
            model_name="exportedoverride",
            name="export",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="overrides", to="feedback.weeklyexport"
            ),
        ),
        migrations.AddField(
            model_name="exportedlabel",
            name="export",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="feedback.weeklyexport"
            ),
        ),
        migrations.AddIndex(
            model_name="correctionlabel",
            index=models.Index(fields=["review", "-id"], name="labels_of_review"),
        ),
        migrations.AddConstraint(
            model_name="correctionlabel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("supersedes", None), models.Q(("label", ""), _negated=True)),
                    models.Q(("label", ""), ("supersedes__isnull", False)),
                    _connector="OR",
                ),
                name="a_label_or_what_it_takes_back",
            ),
        ),
        migrations.AddIndex(
            model_name="weeklyexport",
            index=models.Index(fields=["tenant", "-id"], name="weekly_exports_newest"),
        ),
        migrations.AddIndex(
            model_name="weeklyexport",
            index=models.Index(condition=models.Q(("state", "frozen")), fields=["id"], name="unwritten_exports"),
        ),
        migrations.AddConstraint(
            model_name="weeklyexport",
            constraint=models.UniqueConstraint(
                fields=("tenant", "year", "week"), name="one_export_per_tenant_and_week"
            ),
        ),
        migrations.AddConstraint(
            model_name="weeklyexport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ready_at", None), ("state", "frozen")),
                    models.Q(("ready_at__isnull", False), ("state", "ready")),
                    _connector="OR",
                ),
                name="ready_exports_say_when",
            ),
        ),
        migrations.AddIndex(
            model_name="exportedoverride",
            index=models.Index(fields=["export", "id"], name="overrides_of_export"),
        ),
        migrations.AddIndex(
            model_name="exportedlabel",
            index=models.Index(fields=["export", "id"], name="corrections_of_export"),
        ),
        migrations.AddIndex(
            model_name="exportedlabel",
            index=models.Index(fields=["override", "-id"], name="labels_of_override"),
        ),
        migrations.AddConstraint(
            model_name="exportedlabel",
            constraint=models.UniqueConstraint(fields=("export", "override"), name="one_correction_per_export"),
        ),
        migrations.AddConstraint(
            model_name="exportedlabel",
            constraint=models.CheckConstraint(
                condition=models.Q(("was", models.F("label")), _negated=True), name="a_correction_changes_the_label"
            ),
        ),
        *map(append_only, APPEND_ONLY),
        legal_state("feedback_weeklyexport", EXPORT_INITIAL, EXPORT_MOVES),
    ]
