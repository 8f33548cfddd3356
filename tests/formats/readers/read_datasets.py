"""Hugging Face datasets loads every JSON Lines and CSV file."""

import sys
from pathlib import Path

from datasets import load_dataset

rows = 0
paths = sorted(Path(sys.argv[1]).glob("*.jsonl")) + sorted(Path(sys.argv[1]).glob("*.csv"))
for path in paths:
    builder = "csv" if path.suffix == ".csv" else "json"
    loaded = load_dataset(builder, data_files=str(path), split="train", cache_dir=f"{sys.argv[1]}/cache")
    assert len(loaded), path.name
    if path.name.startswith("sentence_transformers"):
        assert loaded.column_names == ["anchor", "positive", "negative"], loaded.column_names
    rows += len(loaded)
print(f"{len(paths)} files, {rows} rows")
