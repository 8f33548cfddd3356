"""Each format is what its tool reads: the published rules, written as checks of our own."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from cases.ids import new_id
from feedback.datasets.conversation import conversation
from feedback.datasets.examples import FIELDS, Example, examples_of
from feedback.datasets.seen import Seen
from feedback.datasets.splits import split_of
from feedback.formats import ALL, FORMATS, Destination, formats_for
from feedback.formats.promptfoo import as_text
from feedback.kinds import Kind
from feedback.labels import Label
from tests.feedback.rows import NASTY, a_row, labels_for


def one(kind: Kind, **changes: Any) -> list[Example]:
    return examples_of(kind, a_row(label=labels_for(kind)) if not changes else a_row(label=labels_for(kind), **changes))


def lines(name: str, kind: Kind, **changes: Any) -> list[Any]:
    destination = Destination("acme", "my set", "ds_" + "0" * 32, kind)
    found = [line for example in one(kind, **changes) for line in FORMATS[name].lines(example, destination)]
    assert all("\n" not in line for line in found if name != "csv")
    return [json.loads(line) for line in found] if name != "csv" else found


# --- examples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_an_example_has_exactly_the_documented_fields_in_their_order(kind):
    (first, *_) = one(kind)
    assert list(first.fields) == list(FIELDS[kind])


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.OVERRIDES])
@pytest.mark.parametrize("label", [None, Label.TEMPORARY_POLICY, Label.ONE_OFF_CONTEXT])
def test_what_is_not_labelled_as_teaching_gives_no_example(kind, label):
    assert examples_of(kind, a_row(label=label)) == []


def test_a_rejection_has_no_right_answer_and_teaches_only_what_must_not_come_back():
    rejected = {"verdict": "reject", "final_answer": ""}
    for kind in (Kind.GOLDEN_EVALS, Kind.FINE_TUNING, Kind.PREFERENCE_PAIRS):
        assert one(kind, **rejected) == []
    (test,) = one(Kind.PROMPT_REGRESSIONS, **rejected)
    assert (test.fields["expected_answer"], test.fields["forbidden_answer"]) == (None, "Yes, within 60 days.")
    (violation,) = one(Kind.POLICY_CLASSIFIER, **rejected)
    assert violation.fields["class"] == "violation"


def test_a_flipped_decision_is_a_pair_although_the_words_are_the_same():
    flipped = {"case_kind": "decision", "model_decision": "deny", "final_decision": "allow", "final_answer": "Sorry."}
    (pair,) = one(Kind.PREFERENCE_PAIRS, **flipped, draft="Sorry.")
    assert (pair.fields["chosen"], pair.fields["rejected"]) == ("allow\n\nSorry.", "deny\n\nSorry.")
    (test,) = one(Kind.PROMPT_REGRESSIONS, **flipped, draft="Sorry.")
    assert test.fields["forbidden_answer"] is None


def test_only_passages_that_the_draft_had_and_the_reviewer_marked_are_negatives():
    (example,) = one(Kind.HARD_NEGATIVES)
    assert example.fields["negatives"] == [{"document_id": "returns", "quote": "60 days"}]
    assert example.fields["positives"] == ["Shoes: 30 days.", "return period shoes"]


def test_messages_are_three_roles_and_end_with_the_question():
    turns = conversation(
        [
            {"role": "Customer", "content": "a"},
            {"role": "tool", "content": "{}"},
            {"role": "agent", "content": "b"},
            {"role": "developer", "content": "c"},
            {"role": "wizard", "content": "q"},
            {"role": "bot", "content": "  "},
        ],
        "q",
    )
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "a"),
        ("assistant", "b"),
        ("system", "c"),
        ("user", "q"),
    ]


def test_the_same_case_is_always_in_the_same_split_and_eight_of_ten_train():
    cases = [new_id() for _ in range(4000)]
    assert [split_of(case) for case in cases] == [split_of(case) for case in cases]
    assert 0.77 < sum(split_of(case) == "train" for case in cases) / 4000 < 0.83


def test_a_set_of_numbers_grows_and_goes_to_disk_and_back(tmp_path):
    seen = Seen()
    assert all(seen.add(number * 2**40) for number in range(1, 20_000))
    seen.save(tmp_path / "seen")
    again = Seen.load(tmp_path / "seen")
    assert len(again) == 19_999
    assert not any(again.add(number * 2**40) for number in range(1, 20_000))
    assert again.add(7)


# --- formats --------------------------------------------------------------------------------------------------------


def test_every_kind_has_its_formats_and_every_format_takes_its_kinds():
    assert {each.name for each in formats_for(Kind.OVERRIDES)} == {"jsonl", "csv"}
    for each in ALL:
        for kind in each.kinds:
            assert lines(each.name, kind), (each.name, kind)


def test_csv_holds_every_field_and_no_formula():
    destination = Destination("acme", "my set", "ds", Kind.OVERRIDES)
    for start in ("=", "+", "-", "@", "\t"):
        (row,) = lines("csv", Kind.OVERRIDES, notes=f"{start}SUM(A1)", question='a "quoted",\r\nline')
        text = "\r\n".join([*FORMATS["csv"].head(destination), row])
        (found,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        assert list(found) == list(FIELDS[Kind.OVERRIDES])
        assert found["notes"] == f"'{start}SUM(A1)"
        assert found["question"] == 'a "quoted",\r\nline'
        assert json.loads(found["messages"])[-1]["role"] == "user"


def is_chat(messages: Any) -> bool:
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(
            set(turn) == {"role", "content"} and turn["role"] in ("system", "user", "assistant") and turn["content"]
            for turn in messages
        )
    )


def test_openai_chat_ends_with_the_assistant():
    """https://cookbook.openai.com/examples/chat_finetuning_data_prep: keys, roles, content, an assistant's turn."""
    (found,) = lines("openai_chat", Kind.FINE_TUNING)
    assert set(found) == {"messages"}
    assert is_chat(found["messages"])
    assert found["messages"][-1] == {"role": "assistant", "content": "No, within 30 days."}
    assert lines("trl_messages", Kind.FINE_TUNING) == [found]


def test_openai_dpo_has_one_assistant_message_on_either_side():
    (found,) = lines("openai_dpo", Kind.PREFERENCE_PAIRS)
    assert set(found) == {"input", "preferred_output", "non_preferred_output"}
    assert is_chat(found["input"]["messages"])
    assert found["input"]["messages"][-1]["role"] == "user"
    assert found["preferred_output"] == [{"role": "assistant", "content": "No, within 30 days."}]
    assert found["non_preferred_output"] == [{"role": "assistant", "content": "Yes, within 60 days."}]


def test_trl_pairs_and_halves_of_pairs():
    (pair,) = lines("trl_prompt_chosen_rejected", Kind.PREFERENCE_PAIRS)
    assert list(pair) == ["prompt", "chosen", "rejected"]
    assert all(is_chat(part) for part in pair.values())
    halves = lines("trl_unpaired", Kind.PREFERENCE_PAIRS)
    assert [list(half) for half in halves] == [["prompt", "completion", "label"]] * 2
    assert [(half["completion"], half["label"]) for half in halves] == [
        (pair["chosen"], True),
        (pair["rejected"], False),
    ]


def test_triplets_are_anchor_positive_negative_and_nothing_else():
    found = lines("sentence_transformers", Kind.HARD_NEGATIVES)
    assert [list(each) for each in found] == [["anchor", "positive", "negative"]] * 2
    assert {each["negative"] for each in found} == {"60 days"}
    assert lines("sentence_transformers", Kind.HARD_NEGATIVES, missing_evidence="", better_query="") == []


@pytest.mark.parametrize("text", NASTY)
def test_promptfoo_gets_texts_that_neither_open_a_template_nor_name_a_file(text):
    written = as_text(text)
    assert not written.startswith(("file:", "package:"))
    assert render(written) == text
    (test,) = lines("promptfoo", Kind.PROMPT_REGRESSIONS, question=text, final_answer=text)
    assert render(test["vars"]["question"]) == text
    assert all(isinstance(value, str) for value in test["vars"].values())
    assert {each["type"] for each in test["assert"]} <= {"icontains", "llm-rubric", "not-equals"}


def render(template: str) -> str:
    """Nunjucks, as far as it may be met: only a printed literal is a template; anything else that opens one fails."""
    rest, out = template, ""
    while "{{" in rest:
        before, _, rest = rest.partition("{{")
        out += before
        literal, closed, rest = rest.partition("}}")
        literal = literal.strip()
        assert closed
        assert "#}" not in before
        assert literal[0] == literal[-1] == '"'
        assert '"' not in literal[1:-1]
        out += literal[1:-1]
        if rest[:2] in ("{{", "{%", "{#") and not rest.startswith('{{ "'):
            raise AssertionError("a template opens")
    assert "{%" not in rest
    assert "{#" not in rest
    return out + rest


@pytest.mark.parametrize("kind", sorted(FORMATS["langfuse"].kinds))
def test_langfuse_items_have_a_stable_namespaced_id_and_what_its_api_takes(kind):
    """CreateDatasetItemRequest of https://cloud.langfuse.com/generated/api/openapi.yml."""
    row = a_row(label=labels_for(kind))
    destination = Destination("acme", "my set", "ds_" + "0" * 32, kind)
    write = FORMATS["langfuse"].lines
    found = [json.loads(line) for example in examples_of(kind, row) for line in write(example, destination)]
    again = [json.loads(line) for example in examples_of(kind, row) for line in write(example, destination)]
    assert found == again
    assert len({item["id"] for item in found}) == len(found)
    for item in found:
        assert set(item) == {"datasetName", "id", "input", "expectedOutput", "metadata"}
        assert item["id"].startswith("countersign:ds_")
        assert len(item["id"]) <= 255
        assert item["datasetName"] == "my set"
        assert all(isinstance(item[part], dict) for part in ("input", "expectedOutput", "metadata"))


@pytest.mark.parametrize("kind", sorted(FORMATS["phoenix"].kinds))
def test_phoenix_uploads_have_three_lists_of_objects_of_one_length(kind):
    """POST /v1/datasets/upload of Phoenix's OpenAPI document."""
    for body in lines("phoenix", kind):
        assert set(body) == {"action", "name", "inputs", "outputs", "metadata"}
        assert (body["action"], body["name"]) == ("append", "my set")
        parts = [body["inputs"], body["outputs"], body["metadata"]]
        assert {len(part) for part in parts} == {1}
        assert all(isinstance(entry, dict) for part in parts for entry in part)


def test_the_guide_names_every_field_and_every_format():
    guide = (Path(settings.BASE_DIR) / "docs" / "exports.md").read_text()
    for kind in Kind:
        told = guide.partition(f"### `{kind}`")[2].partition("### ")[0]
        assert [f"| `{name}` | {meaning} |" for name, meaning in FIELDS[kind].items()] == told.splitlines()[4:][
            : len(FIELDS[kind])
        ]
    assert all(f"| `{each.name}`: {each.title} |" in guide for each in ALL)
