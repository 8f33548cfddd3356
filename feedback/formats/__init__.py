"""The formats that exports are written in. A new one is a small file beside these and one line in ``ALL``. Pure."""

from ..kinds import Kind
from . import (
    csv_table,
    langfuse,
    openai_chat,
    openai_dpo,
    phoenix,
    plain,
    promptfoo,
    sentence_transformers,
    trl_messages,
    trl_preference,
    trl_unpaired,
)
from .shape import Destination, Format

ALL = (
    plain.FORMAT,
    csv_table.FORMAT,
    openai_chat.FORMAT,
    openai_dpo.FORMAT,
    trl_preference.FORMAT,
    trl_messages.FORMAT,
    trl_unpaired.FORMAT,
    sentence_transformers.FORMAT,
    promptfoo.FORMAT,
    langfuse.FORMAT,
    phoenix.FORMAT,
)
FORMATS = {each.name: each for each in ALL}


def formats_for(kind: Kind) -> list[Format]:
    """The formats that can carry ``kind``: the one table of what fits what is each format's ``kinds``."""
    return [each for each in ALL if kind in each.kinds]


__all__ = ["ALL", "FORMATS", "Destination", "Format", "formats_for"]
