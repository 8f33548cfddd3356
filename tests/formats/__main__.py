"""``make formats``: each file, written by the product's own formats, read by the tool that it is for.

The tools live in environments of their own in the data folder; none is a dependency of the application. What cannot
be installed here is skipped, and the reason is printed. ``--heavy`` (``make formats-heavy``) reads with those as well
that bring gigabytes along; ``--only NAME`` with one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

READERS = Path(__file__).parent / "readers"
INSTALL_SECONDS, READ_SECONDS = 1800, 600


@dataclass(frozen=True)
class Tool:
    """``packages`` are pip's, or npm's where ``is_node``; ``bare`` ones come without what they need. ``runtime`` is
    the version of Node.js that the tool asks for. The reader is a script that is given the folder of files."""

    name: str
    packages: Sequence[str]
    bare: Sequence[str] = ()
    is_node: bool = False
    runtime: str = ""
    is_heavy: bool = False


TOOLS = (
    Tool("datasets", ["datasets"]),
    Tool("openai", ["openai"]),
    Tool("trl", ["datasets", "transformers", "jinja2"], bare=["trl"]),  # It reads data without PyTorch.
    Tool("langfuse", ["langfuse"]),
    Tool("phoenix", ["arize-phoenix-client"]),
    Tool("promptfoo", ["promptfoo@latest"], is_node=True, runtime="22"),
    Tool("sentence_transformers", ["datasets", "sentence-transformers[train]"], is_heavy=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make formats", description=__doc__)
    parser.add_argument("--only", choices=[tool.name for tool in TOOLS])
    parser.add_argument("--heavy", action="store_true", help="PyTorch as well: several gigabytes to install")
    options = parser.parse_args()
    home = Path(os.environ.get("COUNTERSIGN_DATA", ".countersign")).resolve() / "formats"
    files = home / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "tests.formats.write", str(files)], check=True)
    failed = []
    for tool in TOOLS:
        if options.only in (None, tool.name):
            is_asked = not tool.is_heavy or options.heavy or options.only
            outcome = _read(tool, home, files) if is_asked else "skipped: it is heavy; make formats-heavy reads it"
            print(f"{tool.name:24}{outcome}", flush=True)
            if outcome.startswith("FAILED"):
                failed.append(tool.name)
    sys.exit(1 if failed else 0)


def _read(tool: Tool, home: Path, files: Path) -> str:
    try:
        command = _node(tool, home) if tool.is_node else _python(tool, home)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"skipped: it cannot be installed here ({said.strip().splitlines()[-1][:150]})"
    try:
        done = subprocess.run([*command, str(files)], capture_output=True, text=True, timeout=READ_SECONDS)
    except subprocess.TimeoutExpired:
        return "FAILED: it did not end in time"
    return (
        f"read: {done.stdout.strip().splitlines()[-1]}"
        if done.returncode == 0
        else f"FAILED\n{done.stdout}{done.stderr}"
    )


def _python(tool: Tool, home: Path) -> list[str]:
    place = home / tool.name
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        venv.create(place, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*install, *tool.packages])
        if tool.bare:
            _run([*install, "--no-deps", *tool.bare])
        (place / "installed").touch()
    return [str(python), str(READERS / f"read_{tool.name}.py")]


def _node(tool: Tool, home: Path) -> list[str]:
    if not shutil.which("npm"):
        raise OSError("there is no npm")
    place = home / tool.name
    if not (place / "installed").exists():
        place.mkdir(exist_ok=True)
        install = ["npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--silent"]
        _run([*install, "--ignore-scripts", *tool.packages])
        _run([*install, f"node@{tool.runtime}"])  # A script of its own fetches the binary, by npm as well.
        (place / "installed").touch()
    # Its reader is Python that runs the tool's own command.
    return [sys.executable, str(READERS / f"read_{tool.name}.py"), str(place)]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)


if __name__ == "__main__":
    main()
