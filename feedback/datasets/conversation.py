"""Callers' messages as the three roles that training tools know. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

ROLES = {
    "user": ("user", "customer", "client", "human", "end_user", "visitor"),
    "assistant": ("assistant", "agent", "ai", "bot", "model", "support"),
    "system": ("system", "developer"),
}
_ROLE_OF = {name: role for role, names in ROLES.items() for name in names}


def conversation(messages: Sequence[Mapping[str, Any]], question: str) -> list[dict[str, str]]:
    """The turns before the answer, the question last. Tools' turns and empty ones are left out, since no chat format
    takes them without the call that they answer; a role of the caller's own counts as the user's."""
    turns = []
    for message in messages:
        name = str(message.get("role") or "").strip().lower()
        content = message.get("content")
        if name in ("tool", "function") or not isinstance(content, str) or not content.strip():
            continue
        turns.append({"role": _ROLE_OF.get(name, "user"), "content": content})
    if not turns or turns[-1] != {"role": "user", "content": question}:
        turns.append({"role": "user", "content": question})
    return turns


def answered(turns: Sequence[Mapping[str, str]], answer: str) -> list[dict[str, str]]:
    """``turns`` and the assistant's answer to them."""
    return [*map(dict, turns), {"role": "assistant", "content": answer}]
