"""The evidence checklist of a full investigation: what each document was found to be. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import TextChoices

from .errors import ReviewInvalid


class Finding(TextChoices):
    SUPPORTS = "supports", "Supports"
    WRONG = "wrong", "Wrong"
    NOT_RELEVANT = "not_relevant", "Not relevant"


Checked = tuple[tuple[str, str], ...]  # document id and finding, in the order in which they were sent

POINTER = "/checked_evidence"


def documents_of(evidence: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The documents that a draft cites, each once: two quotes of one document are looked at together."""
    return tuple(dict.fromkeys(item["document_id"] for item in evidence))


def marked_wrong(checked: Checked) -> tuple[str, ...]:
    return tuple(document for document, finding in checked if finding == Finding.WRONG)


def check_complete(checked: Checked, documents: Sequence[str], *, none_applies: bool) -> None:
    """Every document is marked, or it is said that none applies, and not both. Raises ``ReviewInvalid``."""
    if none_applies:
        if any(finding != Finding.NOT_RELEVANT for _, finding in checked):
            raise ReviewInvalid(
                "You marked evidence and also said that none of it applies. Take one of the two back.", pointer=POINTER
            )
        return
    if missing := [document for document in documents if document not in dict(checked)]:
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ReviewInvalid(
            "A full investigation marks each piece of evidence: supports, wrong or not relevant; or says that none "
            f"applies. Not marked yet: {', '.join(missing[:3])}{rest}.",
            pointer=POINTER,
        )


def as_stored(checked: Checked) -> list[dict[str, str]]:
    return [{"document_id": document, "finding": str(finding)} for document, finding in checked]


def as_checked(stored: Iterable[Mapping[str, str]] | None) -> Checked:
    return tuple((item["document_id"], item["finding"]) for item in stored or ())
