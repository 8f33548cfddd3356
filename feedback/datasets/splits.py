"""Which part of a data set a case belongs to: always the same one, in every version, kind and format. Pure."""

import hashlib
from uuid import UUID

from django.db.models import TextChoices

RULE = (
    "SHA-256 of 'countersign-split:' and the case's 32 hexadecimal digits; its first 8 bytes as a big-endian share of "
    "2^64: below 0.8 train, below 0.9 validation, else test"
)
_TRAIN, _VALIDATION = 0.8, 0.9


class Split(TextChoices):
    TRAIN = "train", "Train"
    VALIDATION = "validation", "Validation"
    TEST = "test", "Test"


def split_of(case_id: UUID) -> Split:
    """By the case and not by the review, so that no two reviews of one case stand on both sides."""
    digest = hashlib.sha256(f"countersign-split:{case_id.hex}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < _TRAIN:
        return Split.TRAIN
    return Split.VALIDATION if share < _VALIDATION else Split.TEST
