"""sentence-transformers takes the columns in their order, and all of them as inputs."""

import sys
from pathlib import Path

from datasets import load_dataset
from sentence_transformers.data_collator import SentenceTransformerDataCollator

path = Path(sys.argv[1]) / "sentence_transformers.hard_negatives.jsonl"
loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=f"{sys.argv[1]}/cache")
seen = []
collate = SentenceTransformerDataCollator(tokenize_fn=lambda texts, **_: seen.append(list(texts)) or {})
collate([loaded[0], loaded[1]])
assert [texts[0] for texts in seen] == [loaded[0][name] for name in ("anchor", "positive", "negative")], seen
print(f"{len(loaded)} triplets, columns in order")
