"""What an export is narrowed to, as it was asked for and as the manifest keeps it. Pure."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import TextChoices

from cases.models.drafts import RELEASE_PARTS

from ..labels import Label
from .splits import Split


class Agreement(TextChoices):
    UNDISPUTED = "undisputed", "Nobody labelled it otherwise"
    CONFIRMED = "confirmed", "Two people gave it this label, and nobody another"


@dataclass(frozen=True)
class Filters:
    """Empty means any. The window is over the time of the review: ``since`` is in it, ``until`` is not."""

    domain: str = ""
    release: dict[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    label: Label | None = None
    agreement: Agreement | None = None
    split: Split | None = None

    def document(self) -> dict[str, Any]:
        """Only what was asked for, ready for JSON."""
        values = {
            "domain": self.domain,
            "release": {part: self.release[part] for part in RELEASE_PARTS if self.release.get(part)},
            "since": _instant(self.since),
            "until": _instant(self.until),
            "label": self.label and str(self.label),
            "agreement": self.agreement and str(self.agreement),
            "split": self.split and str(self.split),
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Filters":
        """The reverse of ``document``."""
        read = {"since": datetime.fromisoformat, "until": datetime.fromisoformat, "label": Label}
        read |= {"agreement": Agreement, "split": Split}
        return cls(**{name: read.get(name, lambda same: same)(value) for name, value in document.items()})


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
