"""System checks of a deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register
from django.db.utils import DatabaseError
from django.utils.module_loading import import_string

from .vocabulary import Signal


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


@register()
def evaluators_are_callables(app_configs: Any, **kwargs: Any) -> list[Error]:
    """A name of ``SIGNAL_EVALUATORS`` that is no signal or no callable stops every command, before an intake fails."""
    found = []
    for signal, path in settings.SIGNAL_EVALUATORS.items():
        if signal not in Signal.values:
            found.append(f"“{signal}” is no signal: use one of {', '.join(Signal.values)}.")
            continue
        try:
            evaluator = import_string(path)
        except (ImportError, AttributeError, TypeError):
            evaluator = None
        if not callable(evaluator):
            found.append(f"{path!r}, the evaluator of {signal}, is no callable that can be imported.")
    return [
        Error(message, hint="See docs/evaluators.md.", id="countersign.E001", obj="SIGNAL_EVALUATORS")
        for message in found
    ]
