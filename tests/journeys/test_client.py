"""A client generated from the schema by the guide's recipe works, with the guide's own code."""

import importlib.util
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cases.models import Case
from cases.models.people import system_actor
from cases.services import people
from tests.worlds import make_world

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "integration.md"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        importlib.util.find_spec("openapi_python_client") is None,
        reason="openapi-python-client is not installed: it is in the test extra",
    ),
]


def python(*arguments: str, folder: Path) -> str:
    """Run Python in ``folder``; what it prints. The generator formats its output with the ruff beside it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def recipe() -> list[str]:
    """The generator's arguments in the guide."""
    return re.search(r"^openapi-python-client (generate .*)$", GUIDE.read_text(), re.MULTILINE)[1].split()


def code() -> str:
    """The guide's use of the client."""
    return next(
        block
        for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        if "countersign_client" in block
    )


def test_the_client_of_the_guide_is_generated_without_a_warning_and_posts_a_case(
    live_server: Any, settings: Any, tmp_path: Path
):
    settings.PUBLIC_URL = live_server.url
    world = make_world("acme")
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)

    urllib.request.urlretrieve(f"{live_server.url}/api/schema/", tmp_path / "countersign.yaml")
    said = python("-m", "openapi_python_client", *recipe(), folder=tmp_path)
    assert "warning" not in said.lower(), said

    printed = python("-c", f"URL, TOKEN = {live_server.url!r}, {token!r}\n{code()}", folder=tmp_path)
    case = Case.objects.get()
    assert printed.startswith(case.current_draft.route)
    assert printed.strip().endswith("None"), "no outcome before a person has decided"
    assert case.external_id == "conv-8813"
    assert case.current_draft.content.text["model_draft"] == "Yes."
