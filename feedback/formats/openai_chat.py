"""OpenAI's supervised fine-tuning of chat models: ``{"messages": […]}``, the last one the assistant's.

https://platform.openai.com/docs/guides/supervised-fine-tuning
"""

from ..datasets.conversation import answered
from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl


def _documents(example: Example, destination: Destination) -> list[dict]:
    return [{"messages": answered(example.fields["messages"], example.fields["answer"])}]


FORMAT = jsonl("openai_chat", "OpenAI chat fine-tuning", {Kind.FINE_TUNING}, _documents)
