"""Langfuse's own client sends our items to a receiver here: what it sends is what our lines hold, by its own schema."""

import json
import os
import sys
from pathlib import Path

from receiver import Receiver

os.environ["LANGFUSE_TRACING_ENABLED"] = "false"

from langfuse import Langfuse
from langfuse.api.core.pydantic_utilities import parse_obj_as
from langfuse.api.dataset_items.types.create_dataset_item_request import CreateDatasetItemRequest

DATASETS, ITEMS = "/api/public/v2/datasets", "/api/public/dataset-items"  # As ``feedback.services.pushes`` has them.
AT = {"createdAt": "2027-01-01T00:00:00Z", "updatedAt": "2027-01-01T00:00:00Z"}


def answer(method, path, document):
    if path == DATASETS:
        return {"id": "d", "projectId": "p", **AT, "metadata": None, "description": None} | document
    empty = dict.fromkeys(("input", "expectedOutput", "metadata", "sourceTraceId", "sourceObservationId"))
    sent = {name: value for name, value in document.items() if value is not None}
    return empty | {"status": "ACTIVE", "datasetId": "d", "mediaReferences": [], **AT} | sent


receiver = Receiver(answer)
client = Langfuse(public_key="pk", secret_key="sk", base_url=receiver.url)
ids, items = {}, 0
for path in sorted(Path(sys.argv[1]).glob("langfuse.*.jsonl")):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    receiver.posted.clear()
    client.create_dataset(name=lines[0]["datasetName"])
    for item in lines:
        request = parse_obj_as(CreateDatasetItemRequest, item)
        assert not request.model_extra, "fields that its schema does not know"
        assert 0 < len(item["id"]) <= 255
        assert ids.setdefault(item["id"], item["datasetName"]) == item["datasetName"], "an id stands in one data set"
        client.create_dataset_item(
            dataset_name=item["datasetName"],
            id=item["id"],
            input=item["input"],
            expected_output=item["expectedOutput"],
            metadata=item["metadata"],
        )
    assert [found for found, _ in receiver.posted] == [DATASETS, *[ITEMS] * len(lines)]
    sent = [{name: value for name, value in body.items() if value is not None} for _, body in receiver.posted[1:]]
    assert sent == lines, path.name
    items += len(lines)
assert len(ids) == items, "every item has an id of its own"
print(f"{items} items, as its client sends them")
