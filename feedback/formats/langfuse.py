"""Langfuse data set items: each line is a body for ``POST /api/public/dataset-items``.

Langfuse upserts by ``id``, which is unique within a project and may stand in one data set only: ours names the data
set and the review, so that the next version updates what an earlier one brought.

https://api.reference.langfuse.com (dataset-items)
"""

from ..datasets.examples import Example
from ..kinds import Kind
from .parts import expected_of, input_of
from .shape import EVERY_KIND, Destination, jsonl, metadata

LONGEST_ID = 255


def item_id(example: Example, destination: Destination) -> str:
    """``countersign:<data set>:<review>``; below a hundred characters by construction."""
    return f"countersign:{destination.dataset_id}:{example.id}"[:LONGEST_ID]


def _documents(example: Example, destination: Destination) -> list[dict]:
    return [
        {
            "datasetName": destination.dataset,
            "id": item_id(example, destination),
            "input": input_of(destination.kind, example.fields),
            "expectedOutput": expected_of(destination.kind, example.fields),
            "metadata": metadata(example.fields) | {"source": "countersign", "kind": str(destination.kind)},
        }
    ]


FORMAT = jsonl("langfuse", "Langfuse data set items", EVERY_KIND - {Kind.OVERRIDES}, _documents)
