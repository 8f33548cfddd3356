"""OpenAI's published rules for fine-tuning files, and its client package's own types of a message.

Rules: platform.openai.com/docs/guides/supervised-fine-tuning and …/direct-preference-optimization, and the checks of
the cookbook's "Data preparation and analysis for chat model fine-tuning".
"""

import json
import sys
from pathlib import Path

from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

FEWEST = 10  # examples in a training file
ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
KEYS = {"role", "content", "name", "function_call", "tool_calls", "weight", "refusal", "audio"}
message_type = TypeAdapter(ChatCompletionMessageParam)


def check_messages(messages: list[dict]) -> None:
    assert isinstance(messages, list) and messages
    for message in messages:
        assert message["role"] in ROLES, message["role"]
        assert set(message) <= KEYS, set(message)
        assert isinstance(message["content"], str) and message["content"]
        message_type.validate_python(message, strict=True)


def lines_of(name: str) -> list[dict]:
    data = (Path(sys.argv[1]) / name).read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    lines = [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]
    assert len(lines) >= FEWEST, len(lines)
    return lines


chat = lines_of("openai_chat.fine_tuning.jsonl")
for line in chat:
    assert set(line) <= {"messages", "tools", "parallel_tool_calls", "functions"}, set(line)
    check_messages(line["messages"])
    assert line["messages"][-1]["role"] == "assistant", "the answer that is learned comes last"

pairs = lines_of("openai_dpo.preference_pairs.jsonl")
for line in pairs:
    assert set(line) == {"input", "preferred_output", "non_preferred_output"}, set(line)
    assert set(line["input"]) <= {"messages", "tools", "parallel_tool_calls"}
    check_messages(line["input"]["messages"])
    assert line["input"]["messages"][-1]["role"] != "assistant", "the answers are the outputs"
    for side in ("preferred_output", "non_preferred_output"):
        check_messages(line[side])
        assert [message["role"] for message in line[side]] == ["assistant"], "one message on either side"
    assert line["preferred_output"] != line["non_preferred_output"]
print(f"{len(chat)} conversations, {len(pairs)} pairs: every rule kept")
