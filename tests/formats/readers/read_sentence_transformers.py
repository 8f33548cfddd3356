"""sentence-transformers takes the columns in their order and all of them as inputs, and really trains on them.

The model is made here, of random vectors over the words of the file: no weights, no download.
"""

import os
import sys
from pathlib import Path

os.environ |= {"TORCHDYNAMO_DISABLE": "1", "WANDB_DISABLED": "true", "CUDA_VISIBLE_DEVICES": ""}

from datasets import load_dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.losses import MultipleNegativesRankingLoss
from sentence_transformers.models import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

COLUMNS = ["anchor", "positive", "negative"]
folder = Path(sys.argv[1])
path = folder / "sentence_transformers.hard_negatives.jsonl"
loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=f"{folder}/cache")
assert loaded.column_names == COLUMNS, loaded.column_names

words = sorted({word for row in loaded for text in row.values() for word in text.split()})
tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["?", *words])}, unk_token="?"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")


class Watched(MultipleNegativesRankingLoss):
    """Keeps how many inputs it was given: anything beyond three would be one more negative."""

    inputs: set[int] = set()

    def forward(self, sentence_features, labels):
        sentence_features = list(sentence_features)
        self.inputs.add(len(sentence_features))
        return super().forward(sentence_features, labels)


trainer = SentenceTransformerTrainer(
    model=model,
    args=SentenceTransformerTrainingArguments(
        output_dir=f"{folder}/model",
        max_steps=3,
        per_device_train_batch_size=4,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=True,
        dataloader_pin_memory=False,
    ),
    train_dataset=loaded,
    loss=Watched(model),
)
warned = []
trainer.data_collator.maybe_warn_about_column_order = lambda names: warned.append(list(names))
done = trainer.train()
assert Watched.inputs == {3}, Watched.inputs
assert all(names == COLUMNS for names in warned), warned
assert done.training_loss == done.training_loss, "no number"
print(f"{len(loaded)} triplets: three inputs in order, {done.global_step} steps trained")
