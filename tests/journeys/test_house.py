"""The house in order: linted, layered, migrated, and ready to be deployed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
BIN = Path(sys.executable).parent


def run(*command: str, **environment: str | None) -> subprocess.CompletedProcess:
    """The command in the project's folder with exactly these changes to the environment; None takes a variable out."""
    env = os.environ | {name: value for name, value in environment.items() if value is not None}
    for name in [name for name, value in environment.items() if value is None]:
        env.pop(name, None)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=110)


def said(done: subprocess.CompletedProcess) -> str:
    return f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("lint-imports",)])
def test_the_code_is_linted_formatted_and_layered(command):
    name, *arguments = command
    done = run(str(BIN / name), *arguments)
    assert done.returncode == 0, said(done)


PRODUCTION = {
    "COUNTERSIGN_INSECURE_HTTP": None,
    "SECRET_KEY": "k9" * 15 + "%v7(w!xq_z3@m5t#" * 3,
    "CUSTOMER_KEY_SECRET": "another-secret-of-its-own-" + "z" * 30,
    "ALLOWED_HOSTS": "countersign.example.org",
    "PUBLIC_URL": "https://countersign.example.org",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}


def test_production_settings_pass_the_deployment_check_without_a_warning():
    done = run(sys.executable, "-W", "error::DeprecationWarning:config", "manage.py", "check", "--deploy", **PRODUCTION)
    assert done.returncode == 0, said(done)
    assert "no issues" in said(done)
    assert "WARNING" not in said(done)


def test_production_does_not_start_without_a_secret_key():
    done = run(sys.executable, "manage.py", "migrate", "--plan", **PRODUCTION | {"SECRET_KEY": None})
    assert done.returncode != 0
    assert "SECRET_KEY is not set" in said(done)
    assert "Traceback" not in said(done)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("COUNTERSIGN_INSECURE_HTTP", "perhaps", "set it to 1 or 0"),
        ("BEHIND_PROXY", "sometimes", "set it to 1 or 0"),
        ("DATABASE_POOL", "many", "set it to a whole number"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL"),
        ("DATABASE_URL", "quetzalcoatl", "DATABASE_URL"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_clear_sentence(name, value, sentence):
    done = run(sys.executable, "manage.py", "migrate", "--plan", **PRODUCTION | {name: value})
    assert done.returncode != 0
    assert sentence in said(done)
    assert "Traceback" not in said(done)


def test_no_model_has_changed_without_its_migration():
    done = run(sys.executable, "manage.py", "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, said(done)


def test_no_file_names_a_home_folder_or_an_index():
    """What a clone must not carry: paths of whoever wrote it, and a choice of package index."""
    words = [f"/{folder}/" for folder in ("root", "home/user")] + ["--index-url"]
    listed = run("git", "ls-files")
    if listed.returncode != 0:
        pytest.skip("not a git clone")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if not path.is_file() or path.suffix in {".png", ".ico", ".woff2"} or path == Path(__file__):
            continue
        text = path.read_text(errors="replace")
        found += [f"{name}: {word}" for word in words if word in text]
    assert found == []
