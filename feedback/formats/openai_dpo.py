"""OpenAI's direct preference optimisation: an input and exactly one assistant message on either side.

https://platform.openai.com/docs/guides/direct-preference-optimization
"""

from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl


def _documents(example: Example, destination: Destination) -> list[dict]:
    fields = example.fields
    return [
        {
            "input": {"messages": fields["messages"], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [{"role": "assistant", "content": fields["chosen"]}],
            "non_preferred_output": [{"role": "assistant", "content": fields["rejected"]}],
        }
    ]


FORMAT = jsonl("openai_dpo", "OpenAI preference fine-tuning (DPO)", {Kind.PREFERENCE_PAIRS}, _documents)
