"""What the OpenAPI document says about every operation alike: failures are problem documents."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from .documents import BY_STATUS


class ProblemErrorSerializer(serializers.Serializer):
    pointer = serializers.CharField(help_text="JSON Pointer into the request's body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """RFC 9457."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = ProblemErrorSerializer(many=True)


_ALWAYS = (400, 401, 403, 404, 405, 406, 429, 500, 503)
_WITH_BODY = (409, 411, 412, 413, 415, 422)


class StrictAutoSchema(AutoSchema):
    """Adds the problem documents to the answers that a view declares itself."""

    def get_response_serializers(self) -> Any:
        declared = super().get_response_serializers()
        if not isinstance(declared, dict):
            declared = {"200" if self.method != "POST" else "201": declared}
        statuses = _ALWAYS + (_WITH_BODY if self.method in {"POST", "PUT", "PATCH"} else ())
        for status in statuses:
            title = BY_STATUS[status][1] if status in BY_STATUS else "Refused"
            problem = OpenApiResponse(ProblemSerializer, description=title)
            declared.setdefault((str(status), "application/problem+json"), problem)
        return declared
