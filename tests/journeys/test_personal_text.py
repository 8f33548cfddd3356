"""Every column that can hold words has a fate, so that a new one is decided on by somebody."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models

from cases.history import XactIdField, sealed_models
from config.personal_text import FATES, Fate, fate_of

ROOMS = ("cases", "queues", "approvals", "feedback")
WORDLESS = (
    models.ForeignKey,
    models.UUIDField,
    models.IntegerField,
    models.FloatField,
    models.DecimalField,
    models.BooleanField,
    models.DateField,
    models.TimeField,
    XactIdField,
)
OF_HISTORY = {"request_id", "history_change_reason"}  # Codes and reasons of the tenant's own people.


def columns() -> Iterator[tuple[str, str, bool]]:
    """The model, the column, and whether it is a history's; a history has the name of what it is the history of."""
    for room in ROOMS:
        for model in apps.get_app_config(room).get_models():
            if model._meta.proxy:
                continue
            label = model._meta.label
            is_history = model.__name__.startswith("Historical")
            for field in model._meta.local_concrete_fields:
                if not isinstance(field, WORDLESS) and not field.choices:
                    yield label.replace(".Historical", "."), field.name, is_history


def test_every_column_that_can_hold_words_has_a_fate():
    undecided = {(model, name) for model, name, old in columns() if not (old and name in OF_HISTORY)}
    undecided = {(model, name) for model, name in undecided if fate_of(model, name) is None}
    assert undecided == set(), "say in config/personal_text.py what becomes of them"


def test_no_fate_is_that_of_a_column_that_is_gone():
    known = {(model, name) for model, name, _ in columns()}
    written = [(model, name) for model, fates in FATES.items() for names in fates.values() for name in names.split()]
    assert set(written) - known == set() and len(written) == len(set(written))


def test_no_history_and_no_sealed_row_holds_what_is_emptied():
    assert [f"{model}.{name}" for model, name, old in columns() if old and fate_of(model, name) is Fate.EMPTIED] == []
    for model in sealed_models():
        if model._meta.app_label in ROOMS and not model.__name__.startswith("Historical"):
            fates = FATES.get(model._meta.label, {})
            assert Fate.EMPTIED not in fates and Fate.EXPIRES not in fates, model._meta.label


@pytest.mark.parametrize("fate", list(Fate))
def test_every_fate_is_somebodys(fate):
    assert any(fate in fates for fates in FATES.values())
