"""Action types as tenants keep them: their version, their executor's secrets, and a preview to try them with."""

import json
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import rfc8785
from django.db import transaction

from cases.errors import CountersignError
from cases.ids import new_id, to_wire
from cases.models import User
from cases.outbound import OutboundRefused
from cases.permissions import require
from cases.services.webhooks import check_address
from cases.signing import new_secret

from ..executors import Call, Preview, PreviewFailed, executor_of
from ..executors.python import names
from ..models import ActionType, ProposedAction
from ..schemas import check_params

HTTP, PYTHON, NONE = ActionType.ExecutorKind.HTTP, ActionType.ExecutorKind.PYTHON, ActionType.ExecutorKind.NONE
VERSIONED = ("schema", "executor_kind", "executor", "honours_keys")  # what decides what would run, and how


class ExecutorInvalid(CountersignError):
    """The executor's kind and address do not go together."""

    code = "executor_invalid"
    title = "This executor cannot be used"


def check_executor(kind: str, executor: str) -> None:
    """Raise ``ExecutorInvalid`` unless ``executor`` can be one of ``kind``; nothing is looked up or called."""
    if kind == NONE and executor:
        raise ExecutorInvalid("Nothing carries this action out: leave the address empty, or choose what does.")
    if kind == PYTHON and executor not in names():
        known = ", ".join(names())
        raise ExecutorInvalid(
            f"Choose one of: {known}." if known else "This server has no executors in Python: see ACTION_EXECUTORS."
        )
    if kind == HTTP:
        try:
            check_address(executor)
        except OutboundRefused as error:
            raise ExecutorInvalid(str(error)) from error
        parts = urlsplit(executor)
        if parts.query or parts.fragment or "?" in executor or "#" in executor:
            raise ExecutorInvalid("The address ends with its path: /preview, /execute and /lookup are put behind it.")


@transaction.atomic
def save_type(action_type: ActionType, *, actor: User, reason: str) -> ActionType:
    """Save a new or changed type. A change of what would run raises its version, so that what was approved before it
    does not run after it. The first HTTPS executor gets its secret here. Raises ``Denied`` and ``ExecutorInvalid``."""
    require(actor, "change_action", action_type.tenant)
    check_executor(action_type.executor_kind, action_type.executor)
    before = None if action_type._state.adding else _locked(action_type.pk)
    if before is not None:
        changed = any(_plain(getattr(before, name)) != _plain(getattr(action_type, name)) for name in VERSIONED)
        action_type.executor_version = before.executor_version + changed
        action_type.executor_secret = before.executor_secret
        action_type.executor_previous_secret = before.executor_previous_secret
    if action_type.executor_kind == HTTP and not action_type.executor_secret:
        action_type.executor_secret = new_secret()
    action_type.save_as(actor, reason)
    return action_type


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


@transaction.atomic
def rotate_secret(type_id: UUID, *, actor: User) -> str:
    """Put a new secret in force and return it, once. The one before signs along until it is removed or replaced."""
    action_type = _permitted(type_id, actor)
    if action_type.executor_kind != HTTP:
        raise ExecutorInvalid("Only an HTTPS executor has a secret.")
    action_type.executor_previous_secret, action_type.executor_secret = action_type.executor_secret, new_secret()
    action_type.save_as(actor, "new signing secret")
    return action_type.executor_secret


@transaction.atomic
def remove_previous_secret(type_id: UUID, *, actor: User) -> None:
    """Let the secret before the present one sign no more: the executor has changed over."""
    action_type = _permitted(type_id, actor)
    if action_type.executor_previous_secret:
        action_type.executor_previous_secret = ""
        action_type.save_as(actor, "previous signing secret removed")


def _permitted(type_id: UUID, actor: User) -> ActionType:
    action_type = _locked(type_id)
    require(actor, "change_action", action_type.tenant)
    return action_type


def _locked(type_id: UUID) -> ActionType:
    types = ActionType.objects.select_for_update(of=("self",), no_key=True)
    return types.select_related("tenant").get(pk=type_id)


# --- previews -------------------------------------------------------------------------------------------------------


def preview_payload(action_type: ActionType, *, action_id: str, revision: int, **asked: Any) -> bytes:
    """The bytes that a preview is asked with: RFC 8785 JSON of ``action_id, revision, action, executor_version, params,
    amount, currency``. ``asked`` holds the last three; ``amount`` is a decimal text or None."""
    return rfc8785.dumps(
        {
            "action_id": action_id,
            "revision": revision,
            "action": action_type.name,
            "executor_version": action_type.executor_version,
            "params": asked["params"],
            "amount": asked["amount"],
            "currency": asked["currency"],
        }
    )


@dataclass(frozen=True)
class Trial:
    """What came of trying a preview: either ``preview`` or ``error`` is set."""

    sent: str
    ms: int
    preview: Preview | None = None
    error: str = ""


def try_preview(
    type_id: UUID, *, params: dict[str, Any], amount: str | None, currency: str | None, actor: User
) -> Trial:
    """Ask the executor for a preview of a made-up action and store nothing. Raises ``Denied`` and ``NoExecutor``.

    A network call: not for a transaction. It takes up to the type's own timeout.
    """
    action_type = ActionType.objects.select_related("tenant").get(pk=type_id)
    require(actor, "change_action", action_type.tenant)
    executor = executor_of(action_type)
    action_id = to_wire(ProposedAction.PREFIX, new_id())
    if errors := check_params(action_type.schema, params):
        return Trial("", 0, error=f"{errors[0]['pointer'] or 'Parameters'}: {errors[0]['message']}")
    payload = preview_payload(
        action_type, action_id=action_id, revision=1, params=params, amount=amount, currency=currency
    )
    began = monotonic()
    try:
        found, error = executor.preview(Call(action_id, action_type.name, payload)), ""
    except PreviewFailed as failure:
        found, error = None, failure.message
    return Trial(payload.decode(), round((monotonic() - began) * 1000), found, error)
