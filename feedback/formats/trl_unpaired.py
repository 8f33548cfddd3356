"""TRL's unpaired preference data, conversational: ``prompt, completion, label`` with a boolean label (KTO).

A pair gives two lines, the chosen text first.

https://huggingface.co/docs/trl/dataset_formats#unpaired-preference
"""

from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl


def _documents(example: Example, destination: Destination) -> list[dict]:
    fields = example.fields
    return [
        {
            "prompt": fields["messages"],
            "completion": [{"role": "assistant", "content": fields[side]}],
            "label": side == "chosen",
        }
        for side in ("chosen", "rejected")
    ]


FORMAT = jsonl(
    "trl_unpaired", "TRL unpaired preference (prompt, completion, label)", {Kind.PREFERENCE_PAIRS}, _documents
)
