"""The OpenAPI examples of ``GET metrics/``; the tests hold each against its schema."""

from drf_spectacular.utils import OpenApiExample

METRICS = [
    OpenApiExample(
        "One metric by day",
        {
            "tenant_id": "acme",
            "from": "2027-05-01T00:00:00Z",
            "to": "2027-05-02T00:00:00Z",
            "time_zone": "UTC",
            "complete_until": "2027-05-09T14:00:10Z",
            "group_by": "day",
            "by": None,
            "results": [
                {
                    "metric": "escalation_rate",
                    "unit": "share",
                    "at": "2027-05-01T00:00:00Z",
                    "key": None,
                    "name": None,
                    "value": 0.25,
                    "numerator": "31",
                    "denominator": "124",
                    "p50": None,
                    "p90": None,
                }
            ],
        },
        response_only=True,
        media_type="application/json",
        status_codes=["200"],
    )
]
