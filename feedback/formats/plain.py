"""JSON Lines with every documented field (``datasets.examples.FIELDS``)."""

from .shape import EVERY_KIND, jsonl

FORMAT = jsonl("jsonl", "JSON Lines", EVERY_KIND, lambda example, destination: [example.fields])
