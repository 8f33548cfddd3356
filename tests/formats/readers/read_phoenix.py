"""Phoenix's own client sends our examples to a receiver here; what it sends must be what our lines hold."""

import json
import sys
from pathlib import Path

from phoenix.client import Client
from receiver import Receiver

UPLOAD = "/v1/datasets/upload"  # As ``feedback.services.pushes`` has it.
DATASET = {
    "dataset_id": "RGF0YXNldDox",
    "version_id": "RGF0YXNldFZlcnNpb246MQ==",
    "examples": [],
    "id": "d",
    "name": "n",
    "description": "",
    "metadata": {},
    "created_at": "2027-01-01T00:00:00Z",
    "updated_at": "2027-01-01T00:00:00Z",
    "example_count": 0,
}
receiver = Receiver(lambda method, path, document: {"data": DATASET})
client = Client(base_url=receiver.url)
examples = 0
for path in sorted(Path(sys.argv[1]).glob("phoenix.*.jsonl")):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    ours = {part: [entry for line in lines for entry in line[part]] for part in ("inputs", "outputs", "metadata")}
    receiver.posted.clear()
    client.datasets.create_dataset(name=lines[0]["name"], **ours)
    ((found, sent),) = receiver.posted
    assert found == UPLOAD
    assert set(lines[0]) <= set(sent) | {"action"}, sorted(sent)
    assert {part: sent[part] for part in ours} == ours, path.name
    examples += len(lines)
print(f"{examples} examples, as its client sends them")
