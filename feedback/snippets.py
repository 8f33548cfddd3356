"""The text snippets that fit a case."""

from collections import defaultdict

from cases.customer_messages import best_match
from cases.models import Case

from .models import TextSnippet

OFFERED = 100
READ = 500  # rows: a key may have one for each language


def snippets_for(case: Case) -> list[tuple[str, str]]:
    """Key and text, one for each key, by key: the case's language goes before its domain, as for interim answers."""
    rows = TextSnippet.objects.filter(tenant=case.tenant_id, domain__in={"", case.domain}).order_by("key", "id")
    found = defaultdict(list)
    for key, *row in rows.values_list("key", "domain", "locale", "text")[:READ]:
        found[key].append(tuple(row))
    fitting = ((key, best_match(of_key, domain=case.domain, locales=[case.language])) for key, of_key in found.items())
    return [(key, text) for key, text in fitting if text is not None][:OFFERED]
