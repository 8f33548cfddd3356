"""The switch's stages and requests, recalls, its self-test, and what customers are told meanwhile."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import cases.history
import cases.ids
from cases.guards import append_only

APPEND_ONLY = (
    "cases_promise",
    "cases_selftest",
    "cases_historicalinterimtemplate",
    "cases_historicalresumerequest",
)


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0004_label_right"),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalInterimTemplate",
            fields=[
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("xid", cases.history.XactIdField()),
                ("id", models.UUIDField(db_index=True, default=cases.ids.new_id, editable=False)),
                (
                    "domain",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Empty: every domain.",
                        max_length=50,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9_-]{0,49}$",
                                "Lower-case letters, digits, hyphens and underscores, up to 50.",
                            )
                        ],
                    ),
                ),
                (
                    "locale",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The customer's language, such as “de” or “de-CH”. Empty: whatever the language.",
                        max_length=35,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
                                "A language tag such as “de” or “de-CH”; empty for every language.",
                            )
                        ],
                    ),
                ),
                ("text", models.TextField(max_length=10000)),
                ("history_user_id", models.UUIDField(null=True)),
                ("history_change_reason", models.CharField(max_length=200, null=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical interim answer",
                "verbose_name_plural": "historical interim answers",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalResumeRequest",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("xid", cases.history.XactIdField()),
                ("domain", models.CharField(blank=True, default="", max_length=50)),
                ("action", models.CharField(blank=True, default="", max_length=100)),
                (
                    "stage",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "What people approve is dispatched again; nothing runs by itself"),
                            (10, "10 % of what would pass by itself does"),
                            (50, "50 % of what would pass by itself does"),
                            (100, "Everything that passes by itself does"),
                        ]
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits for a second person"),
                            ("confirmed", "Confirmed"),
                            ("refused", "Refused"),
                            ("void", "Void: something was stopped meanwhile, or it waited too long"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                ("history_user_id", models.UUIDField(null=True)),
                ("history_change_reason", models.CharField(max_length=200, null=True)),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical resume request",
                "verbose_name_plural": "historical resume requests",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="InterimTemplate",
            fields=[
                ("id", models.UUIDField(default=cases.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "domain",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Empty: every domain.",
                        max_length=50,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9_-]{0,49}$",
                                "Lower-case letters, digits, hyphens and underscores, up to 50.",
                            )
                        ],
                    ),
                ),
                (
                    "locale",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The customer's language, such as “de” or “de-CH”. Empty: whatever the language.",
                        max_length=35,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
                                "A language tag such as “de” or “de-CH”; empty for every language.",
                            )
                        ],
                    ),
                ),
                ("text", models.TextField(max_length=10000)),
            ],
            options={
                "verbose_name": "interim answer",
                "ordering": ("domain", "locale"),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Promise",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("by", models.DateTimeField()),
                ("told_at", models.DateTimeField()),
                ("xid", cases.history.XactIdField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RecallRun",
            fields=[
                ("id", models.UUIDField(default=cases.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("domain", models.CharField(blank=True, default="", help_text="Empty: every domain.", max_length=50)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("reason", models.CharField(max_length=200)),
                ("found", models.PositiveIntegerField(help_text="How many there were when it was asked for.")),
                ("recalled", models.PositiveIntegerField(default=0)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ResumeRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.CharField(blank=True, default="", max_length=50)),
                ("action", models.CharField(blank=True, default="", max_length=100)),
                (
                    "stage",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "What people approve is dispatched again; nothing runs by itself"),
                            (10, "10 % of what would pass by itself does"),
                            (50, "50 % of what would pass by itself does"),
                            (100, "Everything that passes by itself does"),
                        ]
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits for a second person"),
                            ("confirmed", "Confirmed"),
                            ("refused", "Refused"),
                            ("void", "Void: something was stopped meanwhile, or it waited too long"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SelfTest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("passed", models.BooleanField()),
                ("finding", models.CharField(max_length=300)),
                ("seconds", models.FloatField()),
                ("stop_seconds", models.FloatField(null=True)),
            ],
            options={
                "get_latest_by": "id",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="automationswitch",
            name="share",
            field=models.PositiveSmallIntegerField(
                default=100,
                help_text="How much of what would pass by itself does, in percent, while this is on.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
            ),
        ),
        migrations.AddField(
            model_name="historicalautomationswitch",
            name="share",
            field=models.PositiveSmallIntegerField(
                default=100,
                help_text="How much of what would pass by itself does, in percent, while this is on.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
            ),
        ),
        migrations.AddField(
            model_name="historicalpolicy",
            name="known_domains",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=50,
                    validators=[
                        django.core.validators.RegexValidator(
                            "^[a-z0-9][a-z0-9_-]{0,49}$",
                            "Lower-case letters, digits, hyphens and underscores, up to 50.",
                        )
                    ],
                ),
                blank=True,
                default=list,
                help_text="Drafts in other domains always go to a person. Empty: every domain is known.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="historicalpolicy",
            name="known_languages",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=8,
                    validators=[
                        django.core.validators.RegexValidator("^[a-z]{2,8}$", "A primary language subtag such as “de”.")
                    ],
                ),
                blank=True,
                default=list,
                help_text="Primary subtags such as “de”; drafts in others go to a person. Empty: all are known.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="historicaltenant",
            name="resume_needs_two",
            field=models.BooleanField(
                default=False, help_text="Automation that was stopped resumes only when a second person confirms it."
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="known_domains",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=50,
                    validators=[
                        django.core.validators.RegexValidator(
                            "^[a-z0-9][a-z0-9_-]{0,49}$",
                            "Lower-case letters, digits, hyphens and underscores, up to 50.",
                        )
                    ],
                ),
                blank=True,
                default=list,
                help_text="Drafts in other domains always go to a person. Empty: every domain is known.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="policy",
            name="known_languages",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=8,
                    validators=[
                        django.core.validators.RegexValidator("^[a-z]{2,8}$", "A primary language subtag such as “de”.")
                    ],
                ),
                blank=True,
                default=list,
                help_text="Primary subtags such as “de”; drafts in others go to a person. Empty: all are known.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="resume_needs_two",
            field=models.BooleanField(
                default=False, help_text="Automation that was stopped resumes only when a second person confirms it."
            ),
        ),
        migrations.AlterField(
            model_name="draft",
            name="triggers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("low_confidence", "Low confidence"),
                        ("high_stakes", "High stakes"),
                        ("policy_boundary", "Close to the edge of the policy"),
                        ("tool_risk", "A tool failed or its action is risky"),
                        ("user_escalation", "The customer asked for a person"),
                        ("quality_failure", "A quality check failed"),
                        ("automation_stopped", "Automation is stopped"),
                        ("missing_signals", "A required signal is missing"),
                        ("no_draft", "There is no draft"),
                        ("rule_failed", "A rule of the policy failed"),
                        ("unknown_domain", "The policy does not know the domain"),
                        ("unknown_language", "The policy does not know the language"),
                    ],
                    max_length=20,
                ),
                default=list,
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="automationswitch",
            constraint=models.CheckConstraint(
                condition=models.Q(("share__range", (1, 100))), name="switch_share_is_a_percentage"
            ),
        ),
        migrations.AddField(
            model_name="historicalinterimtemplate",
            name="tenant",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="cases.tenant",
            ),
        ),
        migrations.AddField(
            model_name="historicalresumerequest",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalresumerequest",
            name="asked_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalresumerequest",
            name="tenant",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="cases.tenant",
            ),
        ),
        migrations.AddField(
            model_name="interimtemplate",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="interim_templates", to="cases.tenant"
            ),
        ),
        migrations.AddField(
            model_name="promise",
            name="case",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="promises", to="cases.case"
            ),
        ),
        migrations.AddField(
            model_name="recallrun",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="recallrun",
            name="tenant",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cases.tenant"),
        ),
        migrations.AddField(
            model_name="resumerequest",
            name="answered_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="resumerequest",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="resumerequest",
            name="tenant",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cases.tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="interimtemplate",
            constraint=models.UniqueConstraint(
                fields=("tenant", "domain", "locale"), name="one_interim_answer_per_domain_and_locale"
            ),
        ),
        migrations.AddIndex(
            model_name="recallrun",
            index=models.Index(fields=["tenant", "-id"], name="recall_newest"),
        ),
        migrations.AddIndex(
            model_name="recallrun",
            index=models.Index(condition=models.Q(("finished_at", None)), fields=["id"], name="recall_running"),
        ),
        migrations.AddConstraint(
            model_name="recallrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at", None)), fields=("tenant",), name="one_running_recall_per_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="recallrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("since__lt", models.F("until"))), name="recall_ends_after_it_began"
            ),
        ),
        migrations.AddConstraint(
            model_name="resumerequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting"), ("tenant__isnull", False)),
                fields=("tenant", "domain", "action"),
                name="one_waiting_resume_per_scope",
            ),
        ),
        migrations.AddConstraint(
            model_name="resumerequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting"), ("tenant", None)),
                fields=("domain", "action"),
                name="one_waiting_global_resume_per_scope",
            ),
        ),
        migrations.AddConstraint(
            model_name="resumerequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "confirmed"), _negated=True),
                    models.Q(("answered_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="nobody_confirms_their_own_resume",
            ),
        ),
        *map(append_only, APPEND_ONLY),
    ]
