"""Keeping a list's filter under a name of one's own, and letting it go."""

from uuid import UUID

from ..errors import CountersignError
from ..models import SavedFilter, User
from ..models.saved_filters import NAME_LENGTH, QUERY_LENGTH

MOST = 20  # of one person on one list


class FilterInvalid(CountersignError):
    code = "filter_invalid"
    title = "The filter cannot be kept so"


def save(user: User, list_name: str, *, name: str, query: str) -> SavedFilter:
    """Keep ``query`` under ``name``; the same name again replaces it. Raises ``FilterInvalid``."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_LENGTH:
        raise FilterInvalid(f"Give the filter a name of at most {NAME_LENGTH} characters. Nothing was kept.")
    if not query or len(query) > QUERY_LENGTH:
        raise FilterInvalid("Filter the list first: there is nothing that could be kept.")
    own = SavedFilter.objects.filter(user=user, list_name=list_name)
    if own.exclude(name=name).count() >= MOST:
        raise FilterInvalid(f"{MOST} filters are kept for a list. Let one go first.")
    return own.update_or_create(user=user, list_name=list_name, name=name, defaults={"query": query})[0]


def forget(user: User, list_name: str, filter_id: UUID) -> bool:
    """Whether there was one of ``user``'s own to let go."""
    return bool(SavedFilter.objects.filter(pk=filter_id, user=user, list_name=list_name).delete()[0])


def own_of(user: User, list_name: str) -> list[SavedFilter]:
    """By name; at most ``MOST``."""
    return list(SavedFilter.objects.filter(user=user, list_name=list_name).order_by("name")[:MOST])
