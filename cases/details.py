"""What the rooms above add to a case when it is shown: the read seam (``CASE_DETAIL_PROVIDERS``)."""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from .models import Case, User


@cache
def _providers() -> tuple:
    return tuple(import_string(path) for path in settings.CASE_DETAIL_PROVIDERS)


def details_of(cases: Sequence[Case], actor: User) -> dict[UUID, dict[str, Any]]:
    """Per case its queue, deadline, holder and actions; a fixed number of queries however many cases they are."""
    details: dict[UUID, dict[str, Any]] = {case.pk: {} for case in cases}
    for provider in _providers():
        for key, fields in provider(cases, actor).items():
            details[key] |= fields
    return details
