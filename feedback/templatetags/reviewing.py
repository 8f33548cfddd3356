"""Words and look-ups of the review page."""

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def of(found: Mapping[str, Any], key: str) -> Any:
    """What ``found`` holds under ``key``; empty where it holds nothing."""
    return found.get(key, "")
