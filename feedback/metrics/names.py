"""The keys of the sums as doors name them: a queue by its slug, a reviewer by their name, a release by its parts."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from cases.models import Membership, Release, Tenant, User
from cases.vocabulary import Risk, Route, Trigger
from queues.models import Queue

from ..models import Review
from .definitions import Dimension

_WORDS = {Dimension.RISK: Risk, Dimension.ROUTE: Route, Dimension.TRIGGER: Trigger}


@dataclass(frozen=True)
class Name:
    """``sent`` is what the API sends and takes back, ``words`` what people read."""

    sent: str
    words: str


def names_of(tenant: Tenant, dimension: Dimension | None, keys: Iterable[str | None]) -> dict[str, Name]:
    """The names of ``keys`` in one query at most. A key without a row of the tenant is named by itself."""
    wanted = {key for key in keys if key}
    found: dict[str, Name] = {}
    match dimension:
        case Dimension.QUEUE:
            queues = Queue.objects.filter(tenant=tenant, pk__in=wanted)
            found = {str(queue.pk): Name(queue.slug, queue.name) for queue in queues}
        case Dimension.RELEASE:
            releases = Release.objects.filter(tenant=tenant, pk__in=wanted)
            found = {str(release.pk): Name(str(release.pk), str(release)) for release in releases}
        case Dimension.REVIEWER:
            people = _people(tenant).filter(pk__in=wanted)
            found = {str(person.pk): Name(person.username, str(person)) for person in people}
        case Dimension.REASONS:
            found = {key: Name(key, " + ".join(map(_trigger, key.split("+")))) for key in wanted}
        case _ if dimension in _WORDS:
            found = {key: Name(key, dict(_WORDS[dimension].choices).get(key, key)) for key in wanted}
    return {key: found.get(key) or Name(key, key) for key in wanted}


def key_of(tenant: Tenant, dimension: Dimension, sent: str) -> str | None:
    """The key that ``sent`` names, or None where the tenant has no such thing: another's is as unknown as none."""
    match dimension:
        case Dimension.QUEUE:
            found = Queue.objects.filter(tenant=tenant, slug=sent).values_list("pk", flat=True).first()
        case Dimension.RELEASE:
            key = _uuid(sent)
            found = key and Release.objects.filter(tenant=tenant, pk=key).values_list("pk", flat=True).first()
        case Dimension.REVIEWER:
            found = _people(tenant).filter(username=sent).values_list("pk", flat=True).first()
        case _ if dimension in _WORDS:
            found = sent if sent in _WORDS[dimension].values else None
        case _:
            return sent
    return str(found) if found else None


def _people(tenant: Tenant) -> QuerySet[User]:
    """Who belongs to the tenant, now or once, or has reviewed for it."""
    member = Membership.objects.filter(user=OuterRef("pk"), tenant=tenant)
    review = Review.objects.filter(reviewer=OuterRef("pk"), tenant=tenant)
    return User.objects.filter(Exists(member) | Exists(review))


def _trigger(name: str) -> str:
    return dict(Trigger.choices).get(name, name)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
