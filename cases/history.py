"""Change history on tracked models: who, when, why, within which request and transaction."""

from collections.abc import Sequence

import structlog
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from simple_history.models import HistoricalRecords
from simple_history.utils import bulk_create_with_history

REASON_LENGTH = 200


class XactIdField(models.Field):
    """PostgreSQL's 64-bit transaction id; written by the database, read as a decimal string.

    The sealing of audit rows and complete exports order by it: rows below ``pg_snapshot_xmin`` can no longer be joined
    by a transaction that commits late. Always indexed, since sealers and verifiers read every table in this order.
    """

    def __init__(self, **kwargs) -> None:
        kwargs["db_default"] = models.Func(function="pg_current_xact_id")
        kwargs["editable"] = False
        kwargs["db_index"] = True
        super().__init__(**kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["db_default"], kwargs["editable"], kwargs["db_index"]
        return name, path, args, kwargs

    def db_type(self, connection) -> str:
        return "xid8"


def sealed_models() -> list[type[models.Model]]:
    """Every model whose rows are sealed: those with a transaction id, history included, by the name of their table."""
    found = [
        model
        for model in apps.get_models()
        if not model._meta.proxy and any(isinstance(field, XactIdField) for field in model._meta.local_concrete_fields)
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


class AuditRow(models.Model):
    """What every history row carries besides simple-history's own columns."""

    request_id = models.CharField(max_length=64, default="", blank=True)
    xid = XactIdField()

    class Meta:
        abstract = True


def _user_of(history_row):
    user_id = history_row.history_user_id
    return get_user_model().objects.filter(pk=user_id).first() if user_id else None


def _remember_user(history_row, user) -> None:
    history_row.history_user_id = user.pk if user else None


def tracked(**options) -> HistoricalRecords:
    """The ``history`` attribute of a tracked model.

    The person is kept as a bare key: deleting an account must neither rewrite nor block append-only rows.
    """
    return HistoricalRecords(
        bases=[AuditRow],
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.UUIDField(null=True),
        history_user_getter=_user_of,
        history_user_setter=_remember_user,
        history_change_reason_field=models.CharField(max_length=REASON_LENGTH, null=True),
        **options,
    )


def stamp_request(sender, history_instance, **kwargs) -> None:
    """Receiver of ``pre_create_historical_record``: the request, task or command that this change belongs to."""
    history_instance.request_id = current_request()


def current_request() -> str:
    """The id of the request, task or command that is at work, or nothing."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64]


class Tracked(models.Model):
    """A model whose every save says who and why."""

    class Meta:
        abstract = True

    def save_as(self, actor, reason: str = "", **kwargs) -> None:
        """Save with ``actor`` and ``reason`` in the history row; neither sticks to the instance."""
        self._history_user = actor
        self._change_reason = reason[:REASON_LENGTH]
        try:
            self.save(**kwargs)
        finally:
            del self._history_user, self._change_reason

    @classmethod
    def create_all_as(cls, actor, rows: Sequence["Tracked"], reason: str = "") -> None:
        """``save_as`` for many new rows: two statements, however many they are."""
        bulk_create_with_history(
            rows,
            cls,
            default_user=actor,
            default_change_reason=reason[:REASON_LENGTH],
            custom_historical_attrs={"request_id": current_request()},
        )

    def delete_as(self, actor, reason: str = "") -> None:
        """Delete with ``actor`` and ``reason`` in the history row."""
        self._history_user = actor
        self._change_reason = reason[:REASON_LENGTH]
        self.delete()
