"""The OpenAPI document is true: schemathesis reads it, asks a running server all that it allows and more, and compares.

``SCHEMATHESIS_SECONDS=600 pytest tests/journeys/test_schema.py`` is the long run: every phase, with each token.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cases.models.people import system_actor
from cases.services.people import issue_token
from tests.approvals.desks import make_desk
from tests.worlds import World

PROJECT = Path(__file__).resolve().parents[2]
LONG_RUN_SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "0"))

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(max(180, 3 * LONG_RUN_SECONDS))]


@pytest.fixture
def world(db: None, settings: Any, live_server: Any) -> World:
    """A tenant with cases that wait, are approved and are held; without a rate limit that would hide what is tested."""
    settings.PUBLIC_URL = live_server.url
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk("acme", requests_per_minute=1_000_000)
    world = desk.world
    for amount in ("42.00", "420.00", "4200.00"):
        desk.propose(amount)
    for number in range(8):
        world.submit(external_id=f"quick-{number}")
        world.submit_full(external_id=f"full-{number}")
    world.submit(proposed_action={"action": "issue_refund", "params": {"order_id": "o_1"}})
    return world


def token(world: World, who: str) -> str:
    return issue_token(getattr(world, who), actor=system_actor(), tenant=world.tenant)


def interrogate(folder: Path, url: str, token: str, phases: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run schemathesis with all its checks; the same questions every time, unless it is the long run."""
    long_run = ["--max-examples", "500"] if LONG_RUN_SECONDS else ["--max-examples", "6", "--generation-deterministic"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/schema/"),
            *("--header", f"Authorization: Token {token}"),
            # Replaced by a check of ours that says the same and knows what a schema cannot say.
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            *("--phases", phases, "--max-time", str(seconds)),
            *("--generation-allow-x00", "false", "--no-shrink", "--continue-on-failure"),
            *("--warnings", "off", "--no-color"),
            *long_run,
        ],
        cwd=folder,  # It keeps a cache where it runs.
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.journeys.schema_checks", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=2 * seconds + 60,
    )


@pytest.mark.parametrize(
    ("who", "phases"),
    [("service", "examples,coverage"), ("reviewer", "examples,fuzzing,stateful"), ("supervisor", "examples")],
)
def test_the_server_does_what_its_schema_says(world: World, live_server: Any, tmp_path: Path, who: str, phases: str):
    if LONG_RUN_SECONDS:
        phases = "examples,coverage,fuzzing,stateful"
    result = interrogate(tmp_path, live_server.url, token(world, who), phases, LONG_RUN_SECONDS or 25)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2_000:]
    assert "Tested:" in result.stdout, result.stdout


# --- what schemathesis does not look at ---------------------------------------------------------------------------


@pytest.fixture
def document(live_server: Any) -> dict[str, Any]:
    request = urllib.request.Request(f"{live_server.url}/api/schema/", headers={"Accept": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def operations(document: dict[str, Any]):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_says_how_it_is_authorised_and_how_it_fails(document: dict[str, Any]):
    for name, operation in operations(document):
        assert operation["security"] == [{"token": []}], name
        assert operation.get("summary"), name
        for status in ("400", "401", "403", "404", "429", "500", "503"):
            assert operation["responses"][status]["$ref"].startswith("#/components/responses/"), (name, status)
        for status, answer in operation["responses"].items():
            assert "$ref" in answer or answer["description"], (name, status)


def test_every_failure_is_a_problem_document_with_an_example_that_fits(document: dict[str, Any]):
    for name, response in document["components"]["responses"].items():
        (media_type,) = response["content"]
        assert media_type == "application/problem+json", name
        jsonschema.validate(
            response["content"][media_type]["example"],
            document["components"]["schemas"]["Problem"] | {"components": document["components"]},
        )


def test_every_example_of_a_body_fits_its_schema(document: dict[str, Any]):
    shown = 0
    for name, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for media in body.get("content", {}).values():
                for example in media.get("examples", {}).values():
                    shown += 1
                    schema = as_json_schema(media["schema"]) | {"components": as_json_schema(document["components"])}
                    errors = [
                        error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(example["value"])
                    ]
                    assert not errors, (name, errors)
    assert shown >= 10


def as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [as_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: as_json_schema(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def test_every_strict_body_says_that_it_takes_no_other_field(document: dict[str, Any]):
    schemas = document["components"]["schemas"]
    for name, operation in operations(document):
        body = operation.get("requestBody")
        if body:
            (media,) = body["content"].values()
            assert schemas[media["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] is False, name
