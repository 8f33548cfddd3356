"""``/metrics`` for Prometheus: how the service does, in its text format (version 0.0.4), written here in a few lines.

Off unless ``METRICS_TOKEN`` is set; asked with ``Authorization: Bearer …``. Figures of the work itself, by tenant and
person, are the API's (``GET metrics/``): here stand queues and health alone, and no text of any case.
"""

from collections.abc import Iterator, Mapping

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from cases.clock import db_now
from cases.models import Tenant
from cases.services import evaluation_counts
from feedback.models import MetricMark
from queues.services.health import queue_health

from .health import checks

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTED = 10_000  # A count ends there.
QUEUE_FIGURES = {
    "waiting": "Cases that wait to be claimed.",
    "held": "Cases that somebody holds.",
    "kept": "Cases that are kept for one person: snoozed, or given.",
    "paused": "Cases whose clock stands: they wait for a new draft, or for a colleague.",
    "due_soon": "Cases due within half an hour.",
    "breached": "Cases whose deadline has passed.",
}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures; without the setting or the right token as if there were no such page."""
    expected = settings.METRICS_TOKEN
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer" or not constant_time_compare(sent.strip(), expected):
        raise Http404("There is no such page.")
    return HttpResponse("\n".join(_lines()) + "\n", content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _lines() -> Iterator[str]:
    found = checks()
    yield from _gauge(
        "countersign_check_ok",
        "1 where a promise of the health page is kept, 0 where it is broken.",
        [({"check": check.name}, 0 if check.problem else 1) for check in found],
    )
    if any(check.name == "Database" and check.problem for check in found):
        return
    queues = queue_health(Tenant.objects.filter(is_active=True))
    for name, words in QUEUE_FIGURES.items():
        samples = [({"tenant": queue["tenant_id"], "queue": queue["queue"]}, queue[name]) for queue in queues]
        yield from _gauge(f"countersign_queue_{name}", words, samples)
    now = db_now()
    ages = [
        (
            {"tenant": queue["tenant_id"], "queue": queue["queue"]},
            max((now - queue["oldest_at"]).total_seconds(), 0) if queue["oldest_at"] else 0,
        )
        for queue in queues
    ]
    yield from _gauge("countersign_queue_oldest_seconds", "Since when the oldest case of the queue waits.", ages)
    behind = MetricMark.objects.filter(due_at__lte=now)[:COUNTED].count()
    yield from _gauge(
        "countersign_metric_marks_due", "Changed cases that the metrics have yet to count.", [({}, behind)]
    )
    evaluations = [
        ({"signal": one.signal, "status": str(status)}, count)
        for one in evaluation_counts.recent(now)
        for status, count in one.by_status.items()
    ]
    yield from _gauge(
        "countersign_evaluations_last_hour",
        "Signals computed here within about an hour, by what came out.",
        evaluations,
    )


def _gauge(name: str, words: str, samples: list[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{inner}}} {value}" if inner else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
