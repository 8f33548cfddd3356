"""Nothing goes past history: no ``update()``, ``bulk_update()``, queryset ``delete()`` or SQL on a tracked model.

The sources are read, not run. A call on rows whose model cannot be told from its function is named below with what it
writes; a tracked model is written past its history in the places that are listed with their reason, and nowhere else.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings

from tests.cases.test_history import ROOMS, TRACKED

ROOT = Path(settings.BASE_DIR)
WRITES = {"update", "bulk_update", "bulk_create", "delete", "update_or_create", "get_or_create", "create"}
TRACKED_NAMES = {label.partition(".")[2] for label in TRACKED}

# Places that write a tracked model without a row of history, and why that loses nothing.
LISTED = {
    ("queues/services/shifts.py", "Reviewer", "bulk_update"): "whether it is working hours, which the calendar says",
}
# What cannot be told from its function: file, function and name → what is written.
ELSEWHERE = {
    ("approvals/executors/breaker.py", "succeeded", "client"): "a key of the cache",
    ("cases/history.py", "delete_as", "self"): "the deletion that history itself records",
    ("cases/services/deliveries.py", "_claim", "ours"): "Delivery",
    ("cases/services/deliveries.py", "finish", "_ours"): "Delivery",
    ("cases/services/erasure.py", "_empty", "texts"): "Content",
    ("cases/wire/idempotency.py", "keyed", "known"): "IdempotencyKey",
    ("feedback/erasure.py", "_carry_out", "storage"): "a file",
    ("feedback/services/evidence_runs.py", "_complete", "storage"): "a file",
    ("feedback/services/evidence_runs.py", "remove", "storage"): "a file",
    ("feedback/services/export_files.py", "add", "self"): "a counter",
    ("feedback/services/export_runs.py", "_complete", "storage"): "a file",
    ("feedback/services/leased.py", "expire", "storage"): "a file",
    ("feedback/services/leased.py", "go_on", "ours"): "Export or EvidencePack",
    ("feedback/services/leased.py", "take", "storage"): "a file",
    ("feedback/services/weekly_files.py", "rewrite", "storage"): "a file",
    ("feedback/services/reviews.py", "_forget_text", "kept"): "ReviewDraft",
    ("queues/services/entries.py", "close_entry", "entry"): "Entry",
}


@dataclass(frozen=True)
class Write:
    file: str
    function: str
    line: int
    how: str
    root: str
    model: str  # empty: not told by its function


class Writes(ast.NodeVisitor):
    """Collects the writes of one file that take rows at once."""

    def __init__(self, file: str) -> None:
        self.file, self.found = file, []
        self._functions: list[ast.FunctionDef] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in WRITES:
            return
        if node.func.attr == "update" and node.args:
            return  # A dictionary, a set or a digest: rows are updated by name.
        where = self._functions[-1] if self._functions else None
        root, model = _receiver(node.func.value, where)
        self.found.append(Write(self.file, where.name if where else "", node.lineno, node.func.attr, root, model))


def _receiver(value: ast.expr, where: ast.FunctionDef | None, depth: int = 0) -> tuple[str, str]:
    """The name that a chain of calls begins with, and the model whose manager it goes through."""
    chain, node = [], value
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            chain.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    root = node.id if isinstance(node, ast.Name) else ""
    if root[:1].isupper() or root in ("model", "cls"):
        return root, root
    related = next((RELATED[name] for name in chain if name in RELATED), "")
    if related:
        return root, related
    for made in ast.walk(where) if where and depth < 3 else ():
        if isinstance(made, ast.Assign) and any(isinstance(t, ast.Name) and t.id == root for t in made.targets):
            return root, _receiver(made.value, where, depth + 1)[1]
    return root, ""


def _related() -> dict[str, str]:
    """Managers of related rows: what they are called → whose rows they are."""
    found = {}
    for room in ROOMS:
        for model in apps.get_app_config(room).get_models():
            for relation in model._meta.related_objects:
                if name := relation.get_accessor_name():
                    found[name] = relation.related_model.__name__
    return found


RELATED = _related()


def sources() -> Iterator[tuple[str, str]]:
    for room in (*ROOMS, "config"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text()


@cache
def writes() -> list[Write]:
    found = []
    for file, text in sources():
        visitor = Writes(file)
        visitor.visit(ast.parse(text))
        found += visitor.found
    return found


def test_no_rows_of_a_tracked_model_are_written_past_its_history():
    past = {
        (one.file, one.model, one.how)
        for one in writes()
        if one.model in TRACKED_NAMES or ELSEWHERE.get((one.file, one.function, one.root)) in TRACKED_NAMES
    }
    assert past == set(LISTED), past ^ set(LISTED)


def test_every_write_of_rows_tells_its_model():
    """Else the test above sees less than it says: name its model in the function, or list it as ELSEWHERE."""
    dark = {(one.file, one.function, one.root) for one in writes() if not one.model and one.how != "create"}
    assert dark - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) - dark == set()


def test_no_sql_writes_a_tracked_table():
    tables = {model._meta.db_table for label in TRACKED for model in [apps.get_model(label)]}
    pattern = re.compile(r"\b(?:UPDATE|DELETE\s+FROM|INSERT\s+INTO)\s+\"?(\w+)", re.IGNORECASE)
    found = {(file, table) for file, text in sources() for table in pattern.findall(text) if table in tables}
    assert found == set()


def test_no_guard_is_put_aside_but_for_rows_whose_period_is_over():
    """By the owner of the tables alone, and signed for: see ``cases.services.removal``."""
    pattern = re.compile(r"DISABLE\s+TRIGGER|session_replication_role", re.IGNORECASE)
    assert {file for file, text in sources() if pattern.search(text)} == {"cases/services/removal.py"}


def test_history_is_written_by_history_alone():
    """No module writes rows of a history table itself, but for the trace of what happened to an account's tokens."""
    pattern = re.compile(r"\.history\.(?:model\.objects\.)?(?:\w*create\w*|\w*update\w*|\w*delete\w*)\(")
    found = {file for file, text in sources() if pattern.search(text)}
    assert found == {"cases/services/people.py"}
