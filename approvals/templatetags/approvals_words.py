"""Parameters and previews as people read them."""

import json

from django import template

register = template.Library()


@register.filter
def as_words(name: object) -> str:
    """``already_refunded`` → ``Already refunded``."""
    words = str(name).replace("_", " ")
    return words[:1].upper() + words[1:]


@register.filter
def plain_value(value: object) -> str:
    """A JSON value without the quotes and braces that its kind does not need."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
