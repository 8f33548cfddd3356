"""Times and states as people read them, on lists and pages alike."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import Case
from ..outcome import is_final
from ..states import DECIDED
from ..vocabulary import DUE_SOON


def state_words(case: Case, now: datetime) -> str:
    """The state as people read it; a decision that can still be undone says so."""
    words = case.get_state_display()
    if case.state in DECIDED and not is_final(case, now):
        return f"{words}, not final yet"
    return words


def due_words(due_at: datetime | None, now: datetime) -> SafeString | str:
    """The deadline in words, with a mark that does not depend on colour."""
    if due_at is None:
        return "–"
    minutes = round((due_at - now).total_seconds() / 60)
    local = formats.date_format(timezone.localtime(due_at), "j M H:i")
    if minutes < 0:
        return format_html('<span class="due over" title="{} UTC">▲ overdue {}</span>', local, span_words(-minutes))
    is_soon = due_at - now <= DUE_SOON
    kind, mark = ("soon", "◆ ") if is_soon else ("later", "")
    return format_html('<span class="due {}" title="{} UTC">{}in {}</span>', kind, local, mark, span_words(minutes))


def span_words(minutes: int) -> str:
    """``3 h 12 min``: minutes below three hours, then hours, then days."""
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest and hours < 3 else f"{hours} h"
    days = hours // 24
    return f"{days} d {hours % 24} h" if days < 3 and hours % 24 else f"{days} d"
