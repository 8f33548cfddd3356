"""``GET metrics/``: figures over a window, as JSON or CSV."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import tenant_for
from cases.clock import db_now
from cases.errors import NotFound
from cases.models import Tenant
from cases.permissions import require
from cases.rules_document import DOMAIN
from cases.wire.fields import AwareDateTimeField, EnumField, StrictCharField, StrictSerializer
from cases.wire.intake import SLUG, PatternField
from cases.wire.parser import WireError
from cases.wire.queries import check_query

from ..row_files import formula_safe
from . import examples
from .definitions import BY_METRIC, Dimension
from .names import key_of, names_of
from .reading import LONGEST, BadQuestion, Figure, Period, Question, available, figures, full_hours, zone_of

USUAL = timedelta(days=28)
PLACES = 6
MOST_YEAR = 9000  # Past 9999 no hour can be rounded up.
COLUMNS = ("metric", "unit", "at", "key", "name", "value", "numerator", "denominator", "p50", "p90")
_NARROWING = tuple(dimension for dimension in Dimension if dimension != Dimension.DOMAIN)


class MetricsQuerySerializer(StrictSerializer):
    """What is asked. Besides the domain, one dimension at most: to group by, to keep one key of, or both."""

    tenant_id = PatternField(SLUG, required=False, help_text="Needed only by members of several tenants.")
    to = AwareDateTimeField(required=False, help_text="Not included, rounded up to a full hour; by default now.")
    metric = EnumField(list(BY_METRIC), required=False, help_text="By default all that the question can have.")
    group_by = EnumField([*Period], required=False, help_text="Periods in the tenant's time zone; weeks begin Monday.")
    by = EnumField([*Dimension], required=False, help_text="`reviewer` needs the right to see people.")
    domain = PatternField(DOMAIN.pattern, required=False)
    format = EnumField(["json", "csv"], required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        since = AwareDateTimeField(
            required=False, help_text="Included, rounded down to a full hour; by default 28 days before `to`."
        )
        keys = {
            str(name): StrictCharField(
                max_length=250, required=False, help_text=f"Keep one `key` of answers with `by={name}`."
            )
            for name in _NARROWING
        }
        return {"from": since, **super().get_fields(), **keys}


class FigureSerializer(serializers.Serializer):
    metric = serializers.CharField()
    unit = serializers.CharField(help_text="share (0 to 1), seconds, characters, or score (1 to 5).")
    at = serializers.DateTimeField(allow_null=True, help_text="When the period begins.")
    key = serializers.CharField(allow_null=True, help_text="Of the dimension that was asked for.")
    name = serializers.CharField(allow_null=True, help_text="The same for people.")
    value = serializers.FloatField(allow_null=True, help_text="To six places; null where the denominator is 0.")
    numerator = serializers.CharField(help_text="Exact, as a decimal text.")
    denominator = serializers.CharField(help_text="Exact, as a decimal text.")
    p50 = serializers.IntegerField(allow_null=True, help_text="Of times only: exact, nearest rank.")
    p90 = serializers.IntegerField(allow_null=True)


class MetricsSerializer(serializers.Serializer):
    tenant_id = serializers.CharField()
    to = serializers.DateTimeField()
    time_zone = serializers.CharField()
    complete_until = serializers.DateTimeField(allow_null=True, help_text="When the figures were last brought up.")
    group_by = serializers.CharField(allow_null=True)
    by = serializers.CharField(allow_null=True)
    results = FigureSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.DateTimeField(), **super().get_fields()}


class CSVRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(COLUMNS)
        rows.writerows([_cell(row[column]) for column in COLUMNS] for row in data["results"])
        return text.getvalue()


def _cell(value: Any) -> Any:
    """Nothing that a spreadsheet would take for a formula."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return formula_safe(value) if isinstance(value, str) else value


class Negotiation(DefaultContentNegotiation):
    """``?format=`` wins over ``Accept``, and an unknown one is the caller's mistake, not a missing page."""

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        asked = request.query_params.get("format")
        if asked is None:
            return super().select_renderer(request, renderers, format_suffix)
        for renderer in renderers:
            if renderer.format == asked:
                return renderer, renderer.media_type
        raise WireError("invalid_choice", "Send format as json or csv, or leave it out.", pointer="/format")


class MetricsView(APIView):
    """How the work goes: escalations, approvals, times, missed deadlines, edits, satisfaction, in figures."""

    renderer_classes = (JSONRenderer, CSVRenderer)
    content_negotiation_class = Negotiation

    @extend_schema(
        operation_id="metrics_retrieve",
        summary="Metrics over a window",
        description=f"Exact sums, at most a minute old. A window spans at most {LONGEST.days} days; groups without "
        "facts are left out. What each metric means stands in docs/metrics.md.",
        parameters=[
            MetricsQuerySerializer,
        ],
        responses={
            (200, "application/json"): OpenApiResponse(MetricsSerializer, "The figures"),
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=examples.METRICS,
    )
    def get(self, request: Request) -> Response:
        known = MetricsQuerySerializer()
        check_query(request, list(known.fields), paged=False)
        sent = MetricsQuerySerializer(data=request.query_params.dict())
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        tenant = tenant_for(request.user, values.get("tenant_id"))
        require(request.user, "view_metrics", tenant)
        if Dimension.REVIEWER in (values.get("by"), *values):
            require(request.user, "view_people", tenant)
        zone, complete_until = zone_of(tenant)
        question = question_of(tenant, zone, values)
        fitting = available(question)
        found = figures(question, [values["metric"]] if "metric" in values else fitting)
        names = names_of(tenant, question.by, (figure.key for figure in found))
        return Response(
            {
                "tenant_id": tenant.slug,
                "from": question.start,
                "to": question.end,
                "time_zone": zone,
                "complete_until": complete_until,
                "group_by": question.period,
                "by": question.by,
                "results": [_row(figure, names) for figure in found],
            }
        )


def question_of(tenant: Tenant, zone: str, values: Mapping[str, Any]) -> Question:
    """Raises ``BadQuestion``, or ``NotFound`` for a key that the tenant does not have."""
    end = values.get("to") or db_now()
    if end.year >= MOST_YEAR:
        raise BadQuestion(f"The window must end before the year {MOST_YEAR}.")
    start, end = full_hours(values.get("from") or end - USUAL, end, zone)
    kept = [dimension for dimension in _NARROWING if dimension in values]
    if len(kept) > 1:
        raise BadQuestion(f"Sums are kept for each {kept[0]} and for each {kept[1]}, not for both: send one of them.")
    only = None
    if kept:
        key = key_of(tenant, kept[0], values[kept[0]])
        if key is None:
            raise NotFound
        only = (kept[0], key)
    return Question(
        tenant.pk,
        zone,
        start,
        end,
        period=Period(values["group_by"]) if "group_by" in values else None,
        by=Dimension(values["by"]) if "by" in values else None,
        domain=values.get("domain", ""),
        only=only,
    )


def _row(figure: Figure, names: Mapping[str, Any]) -> dict[str, Any]:
    name = names.get(figure.key) if figure.key else None
    value = figure.value
    return {
        "metric": figure.metric.name,
        "unit": figure.metric.unit,
        "at": figure.at,
        "key": name.sent if name else figure.key,
        "name": name.words if name else figure.key,
        "value": None if value is None else float(round(value, PLACES)),
        "numerator": str(figure.above),
        "denominator": str(figure.below),
        "p50": figure.p50,
        "p90": figure.p90,
    }
