"""The right to label corrections; ``manage.py roles --sync`` gives it to roles that exist already."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0002_guards"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="tenant",
            options={
                "default_permissions": (),
                "ordering": ("slug",),
                "permissions": (
                    ("view_tenant", "See the tenant and its settings"),
                    ("change_tenant", "Change the tenant's settings"),
                    ("submit_case", "Send cases and drafts"),
                    ("withdraw_case", "Withdraw a case"),
                    ("view_case", "See cases"),
                    ("view_customer", "See customers unmasked"),
                    ("reopen_case", "Reopen a decided case, recall an automatic approval"),
                    ("view_policy", "See policies"),
                    ("change_policy", "Change policies"),
                    ("view_people", "See people, their roles and skills"),
                    ("change_people", "Change people, their roles and tokens"),
                    ("view_queue", "See queues and deadlines"),
                    ("change_queue", "Change queues and deadlines"),
                    ("view_automation", "See whether automation is on"),
                    ("stop_automation", "Stop automation"),
                    ("resume_automation", "Resume automation"),
                    ("propose_action", "Propose actions"),
                    ("view_action", "See actions, their types and authorities"),
                    ("change_action", "Change action types, impact rules and authorities"),
                    ("view_review", "See reviews"),
                    ("label_review", "Label corrections"),
                    ("view_audit", "See the audit trail"),
                    ("view_metrics", "See metrics"),
                    ("export_data", "Export data"),
                    ("view_webhook", "See webhooks and deliveries"),
                    ("change_webhook", "Change webhooks, resend deliveries"),
                ),
            },
        ),
    ]
