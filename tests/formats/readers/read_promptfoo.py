"""promptfoo runs the tests against its own echo: every text must come back exactly as the customer wrote it."""

import json
import os
import subprocess
import sys
from pathlib import Path

place, files = Path(sys.argv[1]), Path(sys.argv[2])
tests = files / "promptfoo.prompt_regressions.jsonl"
plain = files / "jsonl.prompt_regressions.jsonl"
wanted = [json.loads(line)["question"] for line in plain.read_text(encoding="utf-8").splitlines()]
stripped = files / "promptfoo-vars.jsonl"  # Without the assertions that ask a model.
with stripped.open("w", encoding="utf-8") as file:
    for line in tests.read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        test["assert"] = [check for check in test["assert"] if check["type"] != "llm-rubric"]
        file.write(json.dumps(test) + "\n")
config = files / "promptfooconfig.json"
config.write_text(json.dumps({"prompts": ["<<{{question}}>>"], "providers": ["echo"], "tests": f"file://{stripped}"}))
out = files / "promptfoo-results.json"
environment = os.environ | {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_CONFIG_DIR": str(place / "config"),
    "PATH": f"{place / 'node_modules/.bin'}{os.pathsep}{os.environ['PATH']}",  # The Node.js that came with it.
}
command = [str(place / "node_modules/.bin/promptfoo"), "eval", "-c", str(config), "-o", str(out), "--no-cache"]
done = subprocess.run([*command, "--no-table", "--no-write"], capture_output=True, text=True, env=environment)
assert out.exists(), done.stdout[-2000:] + done.stderr[-2000:]
results = sorted(json.loads(out.read_text())["results"]["results"], key=lambda result: result["testIdx"])
found = [result["response"]["output"] for result in results]
# promptfoo itself drops one line feed at the end of a variable.
different = [(a, b) for a, b in zip(wanted, found, strict=True) if b != f"<<{a}>>"]
assert not different, different
print(f"{len(found)} tests, every text as it was written")
