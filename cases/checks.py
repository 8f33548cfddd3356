"""System checks of a deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register
from django.db.utils import DatabaseError


@register(Tags.database, deploy=True)
def audit_tables_are_out_of_reach(app_configs: Any, databases: list[str] | None = None, **kwargs: Any) -> list[Warning]:
    """By ``check --deploy --database default``, signed in as the application does."""
    from .services.database_roles import what_the_application_could

    if not databases or settings.INSECURE_HTTP:
        return []
    try:
        found = what_the_application_could()
    except DatabaseError:  # Not migrated yet, or not there: other checks and commands say so.
        return []
    if not found:
        return []
    return [
        Warning(
            f"The application's database role could alter its own audit tables: it {', '.join(found)}.",
            hint="Run `manage.py database_roles ROLE` as their owner and sign in as ROLE: see docs/production.md.",
            id="countersign.W001",
        )
    ]
