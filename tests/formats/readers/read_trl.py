"""TRL's own detection, and what it does with each type next.

``is_conversational`` has to know every row, ``apply_chat_template`` refuses any other set of keys than those of the
types that it knows, ``extract_prompt`` and ``unpair_preference_dataset`` read pairs. The tokenizer is made here: no
weights, no download.
"""

import sys
from pathlib import Path

from datasets import load_dataset
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from trl.data_utils import apply_chat_template, is_conversational, unpair_preference_dataset

EXPECTED = {
    "trl_prompt_chosen_rejected.preference_pairs": (["prompt", "chosen", "rejected"], ["prompt", "chosen", "rejected"]),
    "trl_messages.fine_tuning": (["messages"], ["text"]),
    "trl_unpaired.preference_pairs": (["prompt", "completion", "label"], ["prompt", "completion", "label"]),
}
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</{{ message.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def turns(messages: list[dict[str, str]]) -> str:
    return "".join(f"<{turn['role']}>{turn['content']}</{turn['role']}>" for turn in messages)


tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, unk_token="x")))
tokenizer.chat_template = TEMPLATE
loaded = {}
rows = 0
for name, (columns, templated) in EXPECTED.items():
    path = Path(sys.argv[1]) / f"{name}.jsonl"
    loaded[name] = load_dataset("json", data_files=str(path), split="train", cache_dir=f"{sys.argv[1]}/cache")
    assert loaded[name].column_names == columns, loaded[name].column_names
    for row in loaded[name]:
        assert is_conversational(row), name
        text = apply_chat_template(row, tokenizer)
        assert sorted(text) == sorted(templated), sorted(text)
        # Every word of ours is in what is trained on, and the prompt ends where the assistant begins.
        whole = row.get("messages") or row["prompt"] + row.get("completion", row.get("chosen"))
        made = text.get("text") or text["prompt"] + text.get("completion", text.get("chosen"))
        assert made == turns(whole), (made, turns(whole))
        assert "prompt" not in text or text["prompt"] == turns(row["prompt"]) + "<assistant>"
        rows += 1

pairs, unpaired = loaded["trl_prompt_chosen_rejected.preference_pairs"], loaded["trl_unpaired.preference_pairs"]
assert {type(row["label"]) for row in unpaired} == {bool}
key = str
ours = sorted(unpaired.to_list(), key=key)
theirs = [
    {"prompt": row["prompt"], "completion": row["completion"], "label": row["label"]}
    for row in unpair_preference_dataset(pairs).to_list()
]
assert ours == sorted(theirs, key=key), "its own unpairing of our pairs is our unpaired file"
print(f"{len(EXPECTED)} files, {rows} rows: conversational, of their type, and templated word for word")
