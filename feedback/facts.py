"""What triage wants to know of past reviews. Read-only, touches only the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from cases.models import Tenant
from cases.models.drafts import RELEASE_PARTS

from .models import RouteQuality
from .route_quality import PRIOR, quality


def route_quality(tenant: Tenant, intakes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per intake the quality of its domain and release so far; one query, however many they are."""
    keys = [_key(intake) for intake in intakes]
    # Each part by itself, as ``judging`` finds releases: a few rows too many, and one plan for one as for a thousand.
    asked = {f"release__{part}__in": {key[1 + place] for key in keys} for place, part in enumerate(RELEASE_PARTS)}
    rows = RouteQuality.objects.filter(tenant=tenant, domain__in={key[0] for key in keys}, **asked)
    found = {
        (row.domain, *(getattr(row.release, part) for part in RELEASE_PARTS)): quality(row.seen)
        for row in rows.select_related("release")
    }
    return [{"route_quality": found.get(key, PRIOR)} for key in keys]


def _key(intake: Mapping[str, Any]) -> tuple[str, ...]:
    named = intake.get("release") or {}
    return (intake["domain"], *(named.get(part) or "" for part in RELEASE_PARTS))
