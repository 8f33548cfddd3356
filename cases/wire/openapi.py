"""What the OpenAPI document says about every operation alike: ids, strict bodies, headers, and how things fail.

Views declare their own answers with ``extend_schema``; the problem documents and the headers that every answer carries
are added here, once.
"""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance, is_serializer
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework import serializers

from ..errors import Conflict, CountersignError, KeyReused, Stale
from .documents import BY_STATUS
from .pages import CursorPages

PROBLEM_TYPE = "application/problem+json"

# What the parameters of a path are made of, by their names.
ID_PREFIXES = {"case_id": "case", "action_id": "act", "export_id": "exp"}

# A POST to one of these makes a new thing; any other path ends in the verb itself.
COLLECTIONS = frozenset({"cases", "drafts", "reviews", "actions", "exports"})

REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    OpenApiParameter.HEADER,
    required=True,
    response=True,
    description="The id of this request in our logs: your own, where you sent one of 1 to 64 letters, digits, dots, "
    "dashes and underscores.",
)
EXAMPLE_ERROR = {"pointer": "/domain", "code": "required", "detail": "This field is required."}
RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
CHALLENGE = {"description": "The scheme: `Token`.", "required": True, "schema": {"type": "string"}}


def wire_id(prefix: str) -> dict[str, str]:
    """The JSON Schema of an id on the wire."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$", "example": f"{prefix}_0199{'0a1b2c3d' * 3}4e5f"}


class WireIdField(serializers.CharField):
    """An id in an answer: a prefix and 32 hexadecimal digits."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)


class ProblemErrorSerializer(serializers.Serializer):
    """One thing that is wrong with the request."""

    pointer = serializers.CharField(help_text="JSON Pointer (RFC 6901) into the request's body; empty for the whole.")
    code = serializers.CharField(help_text="Stable and machine-readable.")
    detail = serializers.CharField(help_text="For people. It never repeats what was sent.")


class ProblemSerializer(serializers.Serializer):
    """A problem document (RFC 9457)."""

    type = serializers.URLField(help_text="Where this code is explained.")
    title = serializers.CharField(help_text="The same for every problem with this code.")
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text="What happened, what was kept and what to do next. For people.")
    code = serializers.CharField(help_text="Stable and machine-readable: decide by this, not by the texts.")
    request_id = serializers.CharField(help_text="Quote it when you ask for help; the same as X-Request-ID.")
    errors = ProblemErrorSerializer(many=True)


class StrictAutoSchema(AutoSchema):
    """Adds what holds for every operation to what its view declares."""

    def get_operation_id(self) -> str:
        """``cases_create`` and ``cases_withdraw``, not ``cases_withdraw_create``."""
        path = self._tokenize_path()
        if self.method == "POST" and path and path[-1] not in COLLECTIONS:
            return "_".join(token.replace("-", "_") for token in path)
        return super().get_operation_id()

    def get_summary(self) -> str | None:
        """The first sentence of the description, where the view gives no other."""
        return super().get_summary() or self.get_description().split(".")[0].strip() or None

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [*super().get_override_parameters(), REQUEST_ID]

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        known = [name for name in variables if name in ID_PREFIXES]
        others = super()._resolve_path_parameters([name for name in variables if name not in ID_PREFIXES])
        return others + [
            {"in": "path", "name": name, "required": True, "schema": wire_id(ID_PREFIXES[name])} for name in known
        ]

    def _get_filter_parameters(self) -> list[dict[str, Any]]:
        """A parameter without a value is refused (see ``queries.check_query``)."""
        parameters = super()._get_filter_parameters()
        for parameter in parameters:
            if parameter["schema"] == {"type": "string"}:
                parameter["schema"] = {"type": "string", "minLength": 1, "pattern": r"\S"}
        return parameters

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        bounds: dict[str, Any] = {
            "limit": {"minimum": 1, "maximum": CursorPages.max_page_size},
            "cursor": {"minLength": 1, "pattern": r"\S"},
        }
        parameters = super()._get_pagination_parameters()
        return [p | {"schema": p["schema"] | bounds.get(p["name"], {})} for p in parameters]

    def _map_serializer_field(self, field: Any, direction: Direction, bypass_extensions: bool = False) -> Any:
        """A list of objects says how many it takes; drf-spectacular tells that of lists of plain values only."""
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if schema and isinstance(field, serializers.ListSerializer):
            if not field.allow_empty:
                schema["minItems"] = 1
            if field.max_length is not None:
                schema["maxItems"] = field.max_length
        return schema

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        for answer in responses.values():
            answer["description"] = answer.get("description") or "Done"
        for status in self._problem_statuses():
            responses.setdefault(str(status), self._problem_response(status))
        return responses

    def _problem_statuses(self) -> list[int]:
        statuses = [400, 401, 403, 404, 406, 429, 500, 503]
        if self.method not in {"POST", "PUT", "PATCH"}:
            return sorted([*statuses, *getattr(self.view, "also_refuses_with", ())])
        statuses += [409, 411, 413, 415]
        body = self.get_request_serializer()
        if is_serializer(body) and {"generation", "payload_hash"} & set(force_instance(body).fields):
            statuses.append(412)
        if any(getattr(parameter, "name", "") == "Idempotency-Key" for parameter in self.get_override_parameters()):
            statuses.append(422)
        return sorted(statuses)

    def _problem_response(self, status: int) -> dict[str, str]:
        """A reference to the one description of this failure; registers it when it is asked for first."""
        code, title, detail = _standing(status)
        problem = self.resolve_serializer(ProblemSerializer, "response")
        headers = self._get_response_headers_for_code(str(status))
        headers = {"X-Request-ID": headers["X-Request-ID"]}
        if status in {409, 429, 503}:
            headers["Retry-After"] = RETRY_AFTER
        if status == 401:
            headers["WWW-Authenticate"] = CHALLENGE
        example = {
            "type": f"{settings.PUBLIC_URL}/api/docs/errors#{code}",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": "7d6f1c1e-6a0b-4c7e-9a51-0f5f3c2f9d10",
            "errors": [EXAMPLE_ERROR] if status == 400 else [],
        }
        component = ResolvedComponent(
            name="".join(word.title() for word in code.split("_")),
            type=ResolvedComponent.RESPONSE,
            object=code,
            schema={
                "description": title,
                "headers": headers,
                "content": {PROBLEM_TYPE: {"schema": problem.ref, "example": example}},
            },
        )
        self.registry.register_on_missing(component)
        return component.ref


def _standing(status: int) -> tuple[str, str, str]:
    """The code, title and detail of the usual problem with this status."""
    if status == 400:
        return "invalid", "The request is not valid", "One field was refused. Nothing was stored."
    if status in BY_STATUS:
        return BY_STATUS[status]
    error: type[CountersignError] = {409: Conflict, 412: Stale, 422: KeyReused}[status]
    return error.code, error.title, f"{error.title}. Nothing was changed."


class StrictSerializerShape(OpenApiSerializerExtension):
    """Unknown fields are refused, and the document says so."""

    target_class = "cases.wire.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if "__doc__" not in type(self.target).__dict__ or not type(self.target).__doc__:
            schema.pop("description", None)  # Inherited: it speaks of the base class.
        return schema | {"additionalProperties": False}


class WireIdShape(OpenApiSerializerFieldExtension):
    target_class = "cases.wire.openapi.WireIdField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return wire_id(self.target.prefix)


class StrictTextShape(OpenApiSerializerFieldExtension):
    """White space alone counts as blank."""

    target_class = "cases.wire.fields.StrictCharField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        return schema if self.target.allow_blank else schema | {"minLength": 1, "pattern": r"\S"}


class SlugListShape(OpenApiSerializerFieldExtension):
    target_class = "cases.wire.fields.SlugListField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True) | {"uniqueItems": True}
