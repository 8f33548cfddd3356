"""What the README and the design promise a first visitor, executed as it is written there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from cases.models import Case
from cases.models.people import system_actor
from cases.services import people
from tests.worlds import make_world

ROOT = Path(settings.BASE_DIR)
README = ROOT / "README.md"
DESIGN = ROOT.parent / "shared" / "DESIGN.md"


def first_case_section() -> str:
    if not README.is_file():
        pytest.skip("there is no README.md")
    found = re.search(r"^## A first case\n(.*?)(?=^## |\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, "README.md has no section “A first case”"
    return found[1]


@pytest.mark.django_db(transaction=True)
def test_the_curls_of_the_readme_work_as_they_are_written(live_server):
    curls = [block for block in re.findall(r"```sh\n(.*?)```", first_case_section(), re.DOTALL) if "curl" in block]
    assert curls
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    world = make_world()
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    answers = []
    for block in curls:
        done = subprocess.run(
            ["sh", "-euc", block],
            env=os.environ | {"URL": live_server.url, "TOKEN": token},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
        assert "errors" not in answers[-1], answers[-1]
    receipt = answers[0]
    assert (receipt["state"], receipt["route"]) == ("pending_review", "full_investigation")
    assert receipt["reason_for_escalation"]
    assert receipt["queue_reason"]
    assert receipt["status_url"].endswith(f"/api/v1/cases/{receipt['case_id']}/")
    assert Case.objects.get().tenant == world.tenant


def design_examples() -> tuple[str, str]:
    if not DESIGN.is_file():
        pytest.skip("DESIGN.md is not beside this clone")
    text = DESIGN.read_text()
    intake = re.search(r'^    (\{"external_id": "conv-8812".*?\})\n\n', text, re.MULTILINE | re.DOTALL)
    answer = re.search(r'^    201 (\{"case_id".*?\})\n\n', text, re.MULTILINE | re.DOTALL)
    assert intake
    assert answer
    return intake[1], answer[1]


@pytest.mark.django_db
def test_the_whole_intake_of_the_design_is_accepted_and_answered_in_its_shape():
    intake, answer = design_examples()
    payload = json.loads(intake)
    # The document writes “…” where a value is too long for the page: these four have a form of their own.
    payload["messages"][0]["at"] = "2027-05-09T17:00:00Z"
    payload["evidence"][0]["url"] = "https://example.org/policy"
    payload["attachments"][0] |= {"url": "https://example.org/a.pdf", "sha256": "0" * 64}
    world = make_world("acme")
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    sent = Client().post(
        "/api/v1/cases/",
        json.dumps(payload),
        content_type="application/json",
        headers={"Authorization": f"Token {token}"},
    )
    assert sent.status_code == 201, sent.content
    receipt = sent.json()
    assert set(json.loads(answer)) <= set(receipt)
    assert (receipt["state"], receipt["route"]) == ("pending_review", "full_investigation")
    assert {"high_stakes", "user_escalation", "low_confidence"} <= set(receipt["triggers"])
    assert receipt["interim_answer"] == payload["limited_answer"]
    assert receipt["action_id"].startswith("act_")
    assert receipt["customer_message"].startswith("A specialist will review this and write to you by ")
    assert set(receipt["contributions"][0]) >= {"signal", "value", "weight", "reading"}


@pytest.mark.django_db
def test_the_first_curl_of_the_design_needs_two_fields_and_no_tenant():
    if not DESIGN.is_file():
        pytest.skip("DESIGN.md is not beside this clone")
    body = re.search(r"The first curl: `(\{.*?\})`", DESIGN.read_text())[1]
    world = make_world()
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    sent = Client().post(
        "/api/v1/cases/", body, content_type="application/json", headers={"Authorization": f"Token {token}"}
    )
    assert sent.status_code == 201
    assert sent.json()["route"] == "full_investigation"
