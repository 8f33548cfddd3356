"""Phoenix data set uploads: each line is a body for ``POST /v1/datasets/upload``, with one example in it.

``append`` makes the data set where there is none. ``inputs``, ``outputs`` and ``metadata`` are lists of objects of
the same length.

https://arize.com/docs/phoenix/sdk-api-reference/rest-api (upload dataset)
"""

from ..datasets.examples import Example
from ..kinds import Kind
from .parts import expected_of, input_of
from .shape import EVERY_KIND, Destination, jsonl, metadata


def _documents(example: Example, destination: Destination) -> list[dict]:
    about = metadata(example.fields) | {"id": example.id, "source": "countersign", "kind": str(destination.kind)}
    return [
        {
            "action": "append",
            "name": destination.dataset,
            "inputs": [input_of(destination.kind, example.fields)],
            "outputs": [expected_of(destination.kind, example.fields)],
            "metadata": [about],
        }
    ]


FORMAT = jsonl("phoenix", "Phoenix data set upload", EVERY_KIND - {Kind.OVERRIDES}, _documents)
