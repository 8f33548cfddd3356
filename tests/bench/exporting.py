"""Rows a second and peak memory of a JSON Lines export, beside PostgreSQL's own COPY of the same columns.

``python -m tests.bench.exporting`` (a million overrides), ``--quick`` for a small one. The export runs in a process of
its own, so that its memory is its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from .own_servers import own_servers

FULL, QUICK = 1_000_000, 5_000
COPIED = """
    COPY (
        SELECT r.id, r.case_id, r.created_at, c.kind, c.domain, c.language, c.risk, c.external_id, r.route,
               d.confidence, d.triggers, e.model, e.version, e.prompt_version, e.retrieval_version, d.model_decision,
               r.verdict, r.is_override, r.final_decision, r.reason_code, r.edit_distance, r.edit_share,
               r.handling_seconds, a.body, b.body, t.body
        FROM feedback_review r JOIN cases_case c ON c.id = r.case_id JOIN cases_draft d ON d.id = r.draft_id
        JOIN cases_release e ON e.id = d.release_id JOIN cases_content a ON a.id = c.content_id
        JOIN cases_content b ON b.id = d.content_id JOIN cases_content t ON t.id = r.content_id
        WHERE r.kind = 'decision' AND r.is_override ORDER BY r.id
    ) TO STDOUT
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small one, to see that everything still runs")
    parser.add_argument("--rows", type=int, default=FULL, help="how many overrides (default: a million)")
    parser.add_argument("--run", metavar="EXPORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return _run(options.run)
    count = QUICK if options.quick else options.rows
    with own_servers(durable=False):
        _measure(count)
    return None


def _measure(count: int) -> None:
    from django.db import connection

    from cases.services import lifecycle
    from feedback.kinds import Kind
    from feedback.models import Review
    from feedback.services import exports
    from tests.feedback.corrections import override
    from tests.worlds import make_world

    from .figures import Figure, table
    from .ground import _copy, _copy_cases, _key, _without_key_checks

    world = make_world("bench")
    review = override(world)
    # Reopened, since no row can be inserted as decided: its final decision stays a correction.
    case = lifecycle.reopen(review.case_id, actor=world.supervisor, reason="to be copied")
    Content = type(review.content)
    with _without_key_checks():
        _copy_cases(case, 1, count)
        _copy(Content, review.content_id, 1, count, id=_key(7), case_id=_key(4))
        _copy(
            Review,
            review.pk,
            1,
            count,
            id=_key(8),
            case_id=_key(4),
            draft_id=_key(3),
            content_id=_key(7),
            xid="DEFAULT",
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    began = time.perf_counter()
    copied = 0
    with connection.cursor() as cursor, cursor.copy(COPIED) as rows:
        for block in rows:
            copied += len(block)
    by_copy = count / (time.perf_counter() - began)
    export = exports.request(world.tenant, kind=Kind.OVERRIDES, format="jsonl", actor=world.supervisor)
    command = [sys.executable, "-m", "tests.bench.exporting", "--run", export.pk.hex]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows_written, seconds, megabytes = done.stdout.split()
    rate = int(rows_written) / float(seconds)
    copy_rate = f"{by_copy:,.0f} rows/s"
    figures = [
        Figure("COPY of the same columns", count, copy_rate),
        Figure("JSON Lines export", int(rows_written), f"{rate:,.0f} rows/s", rate / by_copy, "COPY"),
        Figure("peak memory of the export", int(rows_written), f"{float(megabytes):,.0f} MB"),
    ]
    print("\n".join(table(figures)))


def _run(export_id: str) -> None:
    """In a process of its own: the lines written, the seconds, and the most memory that this process had."""
    import django

    django.setup()
    from uuid import UUID

    from feedback.services import export_runs

    began = time.perf_counter()
    export = export_runs.run(UUID(export_id))
    assert export.state == "ready", export.error
    print(export.rows_written, f"{time.perf_counter() - began:.3f}", f"{_peak_megabytes():.1f}")


def _peak_megabytes() -> float:
    """Of this process alone: ``ru_maxrss`` would still know the parent's memory, from between fork and exec."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
