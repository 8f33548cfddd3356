"""Langfuse's own client validates each line as the request that it would send."""

import inspect
import json
import sys
from pathlib import Path

from langfuse.api.dataset_items.client import DatasetItemsClient

taken = set(inspect.signature(DatasetItemsClient.create).parameters)
names = {"datasetName": "dataset_name", "expectedOutput": "expected_output"}
items = 0
for path in sorted(Path(sys.argv[1]).glob("langfuse.*.jsonl")):
    ids = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        assert {names.get(name, name) for name in item} <= taken, sorted(item)
        assert 0 < len(item["id"]) <= 255
        ids.add(item["id"])
        items += 1
    assert len(ids) == len(path.read_text(encoding="utf-8").splitlines()), path.name
print(f"{items} items, parameters of DatasetItemsClient.create")
