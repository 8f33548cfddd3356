"""Parameters and previews as people read them: the words of ``approvals.wording`` in templates."""

from django import template

from approvals import wording

register = template.Library()
register.filter("as_words", wording.as_words)
register.filter("plain_value", wording.plain_value)


@register.filter
def money(action) -> str:
    """``4,200.00`` with its currency beside it."""
    return (
        f"{wording.money_words(action.amount, action.currency)} {action.currency}" if action.amount is not None else ""
    )


@register.filter
def impact_mark(impact: str) -> str:
    """A mark that does not depend on colour."""
    return wording.IMPACT_MARKS.get(impact, "")
