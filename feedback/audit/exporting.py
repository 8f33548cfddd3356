"""A selection of the trail as a file with its proof: what may be taken along, and by whom."""

from collections.abc import Sequence
from uuid import UUID

from cases.errors import CountersignError, NotFound
from cases.services.seal_proofs import MOST_ROWS, SelectionTooLarge
from cases.services.sealing import export_selection

from .sources import Source, sources
from .trail import Question, found, hides_any


class NothingToExport(CountersignError):
    code = "nothing_to_export"
    title = "Nothing to export"


def may_export(question: Question, source: Source) -> bool:
    """Whether rows of ``source`` may leave: sealed ones, and with the right for what their bytes hold."""
    return source.is_sealed and question.may(source.right) and question.may(source.export_right)


def everything(question: Question) -> list[tuple[str, str]]:
    """What the search finds, as ``(table, key)``. Raises ``SelectionTooLarge`` beyond ``MOST_ROWS`` rows."""
    rows = found(question, None, MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise SelectionTooLarge(
            f"One export holds {MOST_ROWS:,} rows at most: narrow the search. Nothing was exported."
        )
    return [(row.source.table, row.key) for row in rows if may_export(question, row.source)]


def chosen(question: Question, references: Sequence[str]) -> list[tuple[str, str]]:
    """The rows that a page's ``references`` (``table:key``) name. Raises ``NotFound`` for what no page offers."""
    by_table = {source.table: source for source in sources()}
    keys: dict[Source, list[str]] = {}
    for reference in references[:MOST_ROWS]:
        table, _, key = reference.partition(":")
        source = by_table.get(table)
        if source is None or not may_export(question, source) or not _is_key(key):
            raise NotFound("A row of the selection is not on this page.")
        keys.setdefault(source, []).append(key)
    if any(hides_any(question, source, ones) for source, ones in keys.items()):
        raise NotFound("A row of the selection is not on this page.")
    return [(source.table, key) for source, ones in keys.items() for key in ones]


def file_of(question: Question, selection: Sequence[tuple[str, str]], reason: str) -> bytes:
    """The zip: see ``cases.services.seal_proofs``, which asks for the right and records the export."""
    if not selection:
        raise NothingToExport("Choose rows that are sealed, or search for some. Nothing was exported.")
    return export_selection(question.tenant, selection, actor=question.me, reason=reason)


def _is_key(text: str) -> bool:
    if text.isdecimal() and text.isascii():
        return len(text) < 19
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
