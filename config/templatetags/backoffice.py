"""Words and numbers of the back office's pages."""

from datetime import datetime

from django import template

from cases.admin import wording

register = template.Library()


@register.filter
def due_from(due_at: datetime | None, now: datetime) -> str:
    """A deadline in words, seen at ``now``."""
    return wording.due_words(due_at, now)


@register.filter
def since(at: datetime | None, now: datetime) -> str:
    """How long ago: ``3 h 12 min``."""
    return wording.span_words(max(0, round((now - at).total_seconds() / 60))) if at else "–"


@register.filter
def counted(number: int, most: int = 999) -> str:
    """A bounded count: ``999+`` past what was counted."""
    return f"{most}+" if number > most else str(number)
