"""promptfoo test cases, one on each line: ``tests: file://tests.jsonl``.

promptfoo renders variables and assertions as Nunjucks templates and reads files that a text names, so that what a
customer wrote could do either. ``as_text`` writes each text so that it arrives as it was: the braces that open a
template are printed by one, and what names a file no longer begins with it. Its loader also fills ``{{name}}`` from
the other variables before it renders; ``{% raw %}`` would not stop that, breaking the braces apart does. Read so by
0.123 in text prompts (``make formats``); in a prompt that is JSON it renders no variables, and the escapes stay.

https://www.promptfoo.dev/docs/configuration/test-cases/
"""

import re
from collections.abc import Iterator

from ..datasets.examples import Example
from ..kinds import Kind
from .shape import Destination, jsonl, metadata

_OPENS = re.compile(r"\{(?=[{%#])|(?<=#)\}")  # "#}" outside of a comment is an error of its own.
_NAMES_A_FILE = re.compile(r"\A(file|package|https?|python|javascript|exec|env|huggingface)(?=:)", re.IGNORECASE)


def as_text(text: str) -> str:
    """A template that renders to ``text``."""
    text = _OPENS.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)
    return _NAMES_A_FILE.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def _asserts(fields: dict) -> Iterator[dict]:
    if fields["expected_decision"]:
        yield {"type": "icontains", "value": as_text(fields["expected_decision"])}
    if fields["expected_answer"]:
        yield {
            "type": "llm-rubric",
            "value": "Says the same, in substance, as this answer that a person approved:\n"
            + as_text(fields["expected_answer"]),
        }
    if fields.get("forbidden_answer"):
        yield {"type": "not-equals", "value": as_text(fields["forbidden_answer"])}


def _documents(example: Example, destination: Destination) -> list[dict]:
    fields = example.fields
    # Turns as one text: promptfoo would take a list for one test of each entry.
    turns = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in fields["messages"])
    passages = "\n\n".join(f"[{piece['document_id']}] {piece.get('quote') or ''}" for piece in fields["evidence"])
    return [
        {
            "description": as_text(example.id),
            "vars": {
                "question": as_text(fields["question"]),
                "conversation": as_text(turns),
                "evidence": as_text(passages),
            },
            "assert": list(_asserts(fields)),
            "metadata": {name: _flat(value) for name, value in metadata(fields).items() if value},
        }
    ]


def _flat(value: object) -> object:
    if isinstance(value, dict):
        return {name: as_text(text) for name, text in value.items() if text}
    return as_text(value) if isinstance(value, str) else value


FORMAT = jsonl("promptfoo", "promptfoo tests", {Kind.PROMPT_REGRESSIONS, Kind.GOLDEN_EVALS}, _documents)
