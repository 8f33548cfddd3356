"""Phoenix's own client sends our examples to a receiver here; what it sends must be what our lines hold."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from phoenix.client import Client

bodies = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer({"data": {"dataset_id": "RGF0YXNldDox", "version_id": "RGF0YXNldFZlcnNpb246MQ=="}})

    def do_GET(self):
        data = {
            "dataset_id": "d",
            "version_id": "v",
            "examples": [],
            "id": "d",
            "name": "n",
            "description": "",
            "metadata": {},
            "created_at": "2027-01-01T00:00:00Z",
            "updated_at": "2027-01-01T00:00:00Z",
            "example_count": 0,
        }
        self.answer({"data": data})

    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Client(base_url=f"http://127.0.0.1:{server.server_port}")
examples = 0
for path in sorted(Path(sys.argv[1]).glob("phoenix.*.jsonl")):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ours = {part: [entry for line in lines for entry in line[part]] for part in ("inputs", "outputs", "metadata")}
    bodies.clear()
    client.datasets.create_dataset(name=lines[0]["name"], **ours)
    (sent,) = bodies
    assert set(lines[0]) <= set(sent) | {"action"}, sorted(sent)
    assert {part: sent[part] for part in ours} == ours, path.name
    examples += len(lines)
print(f"{examples} examples, as its client sends them")
