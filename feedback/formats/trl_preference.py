"""TRL's preference data with an explicit prompt, conversational: ``prompt, chosen, rejected`` (DPO, reward models).

https://huggingface.co/docs/trl/dataset_formats#preference
"""

from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl


def _documents(example: Example, destination: Destination) -> list[dict]:
    fields = example.fields
    return [
        {
            "prompt": fields["messages"],
            "chosen": [{"role": "assistant", "content": fields["chosen"]}],
            "rejected": [{"role": "assistant", "content": fields["rejected"]}],
        }
    ]


FORMAT = jsonl(
    "trl_prompt_chosen_rejected", "TRL preference (prompt, chosen, rejected)", {Kind.PREFERENCE_PAIRS}, _documents
)
