"""Exports for tests: corrections that are labelled, and the file that comes of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cases.clock import db_now
from feedback.kinds import Kind
from feedback.labels import Label
from feedback.models import CorrectionLabel, Export, Review
from feedback.services import export_runs, exports
from feedback.services.export_files import storage
from tests.feedback.corrections import override
from tests.worlds import World


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Where exports grow and rest during a test."""
    options = {"location": tmp_path / "stored"}
    settings.STORAGES = settings.STORAGES | {
        "exports": {"BACKEND": "feedback.folders.ExportFolder", "OPTIONS": options}
    }
    settings.EXPORT_SCRATCH = tmp_path / "unfinished"
    return tmp_path


def label(review: Review, label: Label | str, *, by: Any = None) -> CorrectionLabel:
    return CorrectionLabel.objects.create(
        tenant=review.tenant, review=review, label=label, labelled_by=by or review.reviewer, at=db_now()
    )


def labelled(world: World, as_: Label | str = Label.MODEL_ERROR, **texts: Any) -> Review:
    """A final override with a label."""
    review = override(world, **texts)
    label(review, as_)
    return review


def asked(world: World, kind: Kind, format: str = "jsonl", **options: Any) -> Export:
    return exports.request(world.tenant, kind=kind, format=format, actor=world.supervisor, **options)


def made(world: World, kind: Kind, format: str = "jsonl", **options: Any) -> Export:
    """An export, ready."""
    export = export_runs.run(asked(world, kind, format, **options).pk)
    assert export.state == "ready", export.error
    return export


def content(export: Export) -> bytes:
    with storage().open(export.file_key) as file:
        return file.read()


def documents(export: Export) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content(export).splitlines()]
