"""TRL's own detection: conversational, and each of the type that it is for."""

import sys
from pathlib import Path

from datasets import load_dataset
from trl.data_utils import is_conversational

EXPECTED = {
    "trl_prompt_chosen_rejected.preference_pairs": ["prompt", "chosen", "rejected"],
    "trl_messages.fine_tuning": ["messages"],
    "trl_unpaired.preference_pairs": ["prompt", "completion", "label"],
}
for name, columns in EXPECTED.items():
    path = Path(sys.argv[1]) / f"{name}.jsonl"
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=f"{sys.argv[1]}/cache")
    assert loaded.column_names == columns, loaded.column_names
    assert all(is_conversational(row) for row in loaded), name
    if "label" in columns:
        assert {type(row["label"]) for row in loaded} == {bool}
print(f"{len(EXPECTED)} files, conversational")
