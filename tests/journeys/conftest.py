"""Journeys go through other programs: a browser, a broker, a database that is killed, a worker that has to start."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A journey that fails is tried once more: what fails twice is ours; the report names each that needed it.

    What a machine of two busy cores does to five programs at once is not what is tested here. Nothing outside this
    folder gets a second try.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))
