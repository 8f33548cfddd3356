"""TRL's language modelling data, conversational: ``messages`` (SFT).

https://huggingface.co/docs/trl/dataset_formats#language-modeling
"""

from ..kinds import Kind
from . import openai_chat
from .shape import jsonl

FORMAT = jsonl("trl_messages", "TRL language modelling (messages)", {Kind.FINE_TUNING}, openai_chat._documents)
