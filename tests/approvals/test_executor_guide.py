"""docs/executors.md says what the code does: its examples are read by the code that reads executors' answers."""

import inspect
import json
import re

import pytest
from django.conf import settings

from approvals import binding
from approvals.executors import PreviewFailed, answers, breaker, python
from approvals.schemas import MAX_NODES, MAX_PARAMS_BYTES, MAX_SCHEMA_BYTES, MAX_VALUES
from cases.outbound import Answer

GUIDE = (settings.BASE_DIR / "docs" / "executors.md").read_text()
JSON = {"content-type": "application/json"}


def examples(section: str) -> list[dict]:
    """The JSON objects shown in one section, in their order."""
    text = re.search(rf"^### {section}\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return [json.loads(re.sub(r"^\s*POST .*\n", "", block)) for block in blocks]


def answered(body: dict, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode(), 1, JSON)


def test_the_previews_of_the_guide_are_read_as_it_says():
    asked, good, refused = examples("Preview")
    assert asked.keys() == inspect.signature(binding.request_document).parameters.keys()
    assert answers.read_preview(answered(good)).binding["already_refunded"] == "0.00"
    for status in (409, 422):
        with pytest.raises(PreviewFailed, match="are left") as caught:
            answers.read_preview(answered(refused, status))
        assert caught.value.is_refusal


def test_the_executions_of_the_guide_are_read_as_it_says():
    done, failed = examples("Execute")
    assert answers.read_execution(answered(done)).detail == {"reference": "RE-6c2176b469"}
    assert [answers.read_execution(answered(failed, status)).state for status in (200, 409, 422)] == ["failed"] * 3
    with pytest.raises(answers.Unreadable):
        answers.read_execution(answered({"code": "in_progress"}, 409))


def test_the_look_ups_of_the_guide_are_read_as_it_says():
    asked, found = examples("Look-up")
    assert sorted(asked) == ["action", "action_id"]
    assert answers.read_look_up(answered(found)).state == "executed"


def test_the_figures_of_the_guide_are_the_codes():
    figures = (answers.MAX_BYTES, answers.MAX_PART, MAX_SCHEMA_BYTES, MAX_PARAMS_BYTES, MAX_VALUES)
    assert [figure for figure in figures if f"{figure:,}" not in GUIDE] == []
    assert f"{MAX_NODES} parts" in GUIDE and f"for {breaker.PAUSE} seconds" in GUIDE
    assert (breaker.FAILURES, python.PLACES, answers.MAX_DEPTH) == (5, 8, 6)  # Written out as words there.
