"""The filters of corrections: the same words in the address narrow the list, the labelling and the bulk."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from cases.admin.lists import RecentValuesFilter
from cases.clock import db_now
from cases.models import User
from cases.rights import rights_of

from ..labels import Label
from ..models import CorrectionLabel, Review

WINDOWS = {"7": "Past 7 days", "30": "Past 30 days", "90": "Past 90 days"}
STATES = {"unlabelled": "Not labelled", "labelled": "Labelled", "disputed": "Labelled differently by two people"}


def _tenant(rows: QuerySet[Review], value: str) -> QuerySet[Review]:
    try:
        return rows.filter(tenant=UUID(value))
    except ValueError:
        return rows.none()


def _window(rows: QuerySet[Review], value: str) -> QuerySet[Review]:
    return rows.filter(created_at__gte=db_now() - timedelta(days=int(value))) if value in WINDOWS else rows


def _labels(rows: QuerySet[Review], value: str) -> QuerySet[Review]:
    match value:
        case "unlabelled":
            return rows.filter(standing_label=None)
        case "labelled":
            return rows.exclude(standing_label=None)
        case "disputed":
            return rows.exclude(standing_label=None).filter(is_disputed=True)
    return rows.filter(standing_label=value) if value in Label.values else rows


NARROWING: dict[str, Callable[[QuerySet[Review], str], QuerySet[Review]]] = {
    "tenant": _tenant,
    "domain": lambda rows, value: rows.filter(case__domain=value),
    "reason_code": lambda rows, value: rows.filter(reason_code=value),
    "window": _window,
    "labels": _labels,
}


def asked(request: HttpRequest) -> dict[str, str]:
    """The filters that an address names, and nothing else of it; the list has none of tenants for who sees one."""
    names = [name for name in NARROWING if name != "tenant" or rights_of(request).sees_several()]
    found = {name: request.GET.get(name, "")[:100].replace("\x00", "") for name in names}
    return {name: value for name, value in found.items() if value}


def narrowed(rows: QuerySet[Review], filters: Mapping[str, str]) -> QuerySet[Review]:
    """``rows`` (with ``with_dispute``) as ``filters`` of ``asked`` want them."""
    for name, value in filters.items():
        rows = NARROWING[name](rows, value)
    return rows


def to_label(rows: QuerySet[Review], filters: Mapping[str, str], user: User) -> QuerySet[Review]:
    """What ``user`` would be shown next, oldest first: the unlabelled, or where ``labels`` says otherwise a second look
    at those that ``user`` has not labelled yet."""
    if filters.get("labels", "unlabelled") == "unlabelled":
        return narrowed(rows, {**filters, "labels": "unlabelled"}).order_by("pk")
    mine = CorrectionLabel.objects.standing().filter(review=OuterRef("pk"), labelled_by=user)
    return narrowed(rows, filters).filter(~Exists(mine)).order_by("pk")


def suffix(filters: Mapping[str, str], **more: str) -> str:
    """The same filters for the next address: ``?domain=billing``, or nothing."""
    pairs = {**filters, **{name: value for name, value in more.items() if value}}
    return f"?{urlencode(pairs)}" if pairs else ""


# --- as filters of the list -------------------------------------------------------------------------------------------


class _Narrowing(admin.SimpleListFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return NARROWING[self.parameter_name](queryset, self.value()) if self.value() else queryset


class LabelsFilter(_Narrowing):
    title, parameter_name = "label", "labels"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return [*STATES.items(), *Label.choices]


class WindowFilter(_Narrowing):
    title, parameter_name = "decided", "window"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return list(WINDOWS.items())


class DomainFilter(RecentValuesFilter):
    title, parameter_name, column = "domain", "domain", "case__domain"


class ReasonFilter(RecentValuesFilter):
    title, parameter_name, column = "reason", "reason_code", "reason_code"
