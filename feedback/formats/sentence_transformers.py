"""Triplets for sentence-transformers: ``anchor, positive, negative`` in this order and nothing else.

Its losses take columns by their order and every column as an input, so that an id or a split would be trained on.
Each negative stands beside each positive; an example without a positive gives no line.

https://sbert.net/docs/sentence_transformer/training_overview.html#dataset-format
"""

from collections.abc import Iterator

from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl


def _documents(example: Example, destination: Destination) -> Iterator[dict]:
    fields = example.fields
    for positive in fields["positives"]:
        for negative in fields["negatives"]:
            if positive != negative["quote"]:
                yield {"anchor": fields["query"], "positive": positive, "negative": negative["quote"]}


FORMAT = jsonl("sentence_transformers", "sentence-transformers triplets", {Kind.HARD_NEGATIVES}, _documents)
