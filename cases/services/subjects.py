"""Finding everything of one customer of a tenant: by the reference under which callers name them, or by address."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.search import SearchQuery
from django.db.models import QuerySet

from ..digests import customer_key
from ..errors import CountersignError
from ..models import Case, Content, Tenant

MOST_CASES = 5_000  # of one customer at once; more than a person has, so that a shared reference is noticed
NAMES = ("reference", "email", "phone")  # of a customer in a case's content


class SubjectUnclear(CountersignError):
    code = "subject_unclear"
    title = "It is not clear who is meant"


@dataclass(frozen=True)
class Subject:
    """A customer of ``tenant``, by exactly one of ``reference`` and ``email``."""

    tenant: Tenant
    reference: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        if bool(self.reference.strip()) == bool(self.email.strip()):
            raise SubjectUnclear("Give either the customer's reference or their e-mail address. Nothing was changed.")

    @property
    def key(self) -> bytes | None:
        """The keyed digest that texts are found by; None for an address."""
        return self.key_of(self.reference.strip()) if self.reference else None

    def key_of(self, reference: str) -> bytes:
        return customer_key(settings.CUSTOMER_KEY_SECRET, self.tenant.pk, reference)

    @property
    def digest(self) -> str:
        """What a receipt calls them: 64 digits that tell nothing without the secret, and are no ``customer_key``."""
        named = f"{self.tenant.pk}\x00{'reference' if self.reference else 'email'}\x00"
        named += self.reference.strip() or self.email.strip().casefold()
        secret = hashlib.sha256(b"receipt\x00" + settings.CUSTOMER_KEY_SECRET.encode()).digest()
        return hmac.digest(secret, named.encode(), "sha256").hex()


def cases_of(subject: Subject) -> list[UUID]:
    """The keys of their cases, oldest first, those without any text left in them not included.

    By reference: every case with a text under it, also an action's. By address: every case whose customer has it.
    What another customer wrote about them is not found: nothing but reading would find it. Raises ``SubjectUnclear``
    where it is more than a person's.
    """
    texts = Content.objects.filter(tenant=subject.tenant, erased_at=None, case_id__isnull=False)
    texts = texts.filter(customer_key=subject.key) if subject.key else _with_address(texts, subject.email.strip())
    found = list(texts.order_by("case_id").values_list("case_id", flat=True).distinct()[: MOST_CASES + 1])
    if len(found) > MOST_CASES:
        raise SubjectUnclear(f"More than {MOST_CASES:,} cases have this: it is not one person's. Nothing was changed.")
    return found


def _with_address(texts: QuerySet[Content], email: str) -> QuerySet[Content]:
    """The index finds the word, whatever its case; the comparison tells whose it is."""
    word = SearchQuery(email, config="simple", search_type="phrase")
    return texts.filter(owner=Content.Owner.CASE, search=word, body__customer__email__iexact=email)


def names_in(cases: Iterable[Case]) -> set[str]:
    """What the customers of ``cases`` are called there: references, addresses, numbers."""
    said = (case.content.text.get("customer") or {} for case in cases)
    return {str(customer[name]) for customer in said for name in NAMES if customer.get(name)}


def others_of_the_same(subject: Subject, cases: list[Case]) -> int:
    """How many further cases carry a reference that ``cases`` carry: of a family that shares an address, or of the same
    person before they gave it. Found by address only; whoever erases decides."""
    if subject.key:
        return 0
    references = {(case.content.text.get("customer") or {}).get("reference") for case in cases} - {None, ""}
    keys = [subject.key_of(str(reference)) for reference in references]
    same = Content.objects.filter(tenant=subject.tenant, customer_key__in=keys, case_id__isnull=False)
    return same.exclude(case_id__in=[case.pk for case in cases]).values("case_id").distinct().count()
