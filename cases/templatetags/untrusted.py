"""Filters for text that came from outside: `{% load untrusted %}`, then `{{ draft|shown }}`."""

from django import template
from django.utils.safestring import SafeString

from cases import untrusted

register = template.Library()


@register.filter(is_safe=True)
def shown(value: object) -> SafeString:
    """Escaped, with every invisible or reordering character named; see ``cases.untrusted``."""
    return untrusted.shown(value)
