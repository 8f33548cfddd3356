"""Action types as tenants keep them: their version, their executor's secrets, and a preview to try them with."""

import hashlib
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.digests import canonical
from cases.errors import CountersignError
from cases.ids import new_id, to_wire
from cases.models import User
from cases.outbound import OutboundRefused
from cases.permissions import require
from cases.services.changes import Second
from cases.services.webhooks import check_address
from cases.signing import new_secret

from .. import binding
from ..executors import Call, Preview, PreviewFailed, executor_of
from ..executors.python import names
from ..facts import rules_of
from ..models import ActionType, ActionTypeVersion, ProposedAction
from ..schemas import check_params
from .wishes import require_second_for_type

HTTP, PYTHON, MANUAL = ActionType.ExecutorKind.HTTP, ActionType.ExecutorKind.PYTHON, ActionType.ExecutorKind.MANUAL


class ExecutorInvalid(CountersignError):
    """The executor's kind and address do not go together."""

    code = "executor_invalid"
    title = "This executor cannot be used"


def check_executor(kind: str, executor: str) -> None:
    """Raise ``ExecutorInvalid`` unless ``executor`` can be one of ``kind``; nothing is looked up or called."""
    if kind == MANUAL and executor:
        raise ExecutorInvalid("A person carries this action out: leave the address empty, or choose what does.")
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


def executor_document(action_type: ActionType) -> dict[str, Any]:
    """What an approval holds on to of who carries it out; secrets and timeout may change without it."""
    return {
        "kind": str(action_type.executor_kind),
        "executor": action_type.executor,
        "schema": action_type.schema,
        "honours_keys": action_type.honours_keys,
        "is_active": action_type.is_active,
    }


def executor_part(action_type: ActionType) -> dict[str, Any]:
    """Its version, and the SHA-256 of its document in hex: a row changed behind our back has another one."""
    digest = hashlib.sha256(canonical(executor_document(action_type))).hexdigest()
    return {"version": action_type.executor_version, "digest": digest}


@transaction.atomic
def publish(action_type: ActionType, *, actor: User, reason: str, second: Second | None = None) -> ActionTypeVersion:
    """Save ``action_type``, new or changed, and keep what it says now; its impact rules must be saved before.

    A changed executor or schema raises ``executor_version``, changed rules ``policy_version``: approvals that are bound
    to the numbers before no longer hold, and their actions are previewed and shown again. The first HTTPS executor gets
    its secret here. Returns the version in force.

    Raises ``Denied``, ``ExecutorInvalid``, and ``SecondNeeded`` where the tenant asks for four eyes.
    """
    require(actor, "change_action", action_type.tenant)
    check_executor(action_type.executor_kind, action_type.executor)
    require_second_for_type(action_type, actor=actor, reason=reason, second=second)
    if not action_type._state.adding:
        before = _locked(action_type.pk)
        action_type.executor_secret = before.executor_secret
        action_type.executor_previous_secret = before.executor_previous_secret
    if action_type.executor_kind == HTTP and not action_type.executor_secret:
        action_type.executor_secret = new_secret()
    last = action_type.versions.order_by("-published_at", "-id").first()
    executor = executor_document(action_type)
    rules = [rule.to_document() for rule in rules_of([action_type])[action_type.pk]]
    is_new_executor = last is None or last.executor != executor
    are_new_rules = last is None or last.rules != rules
    action_type.executor_version = (last.executor_version if last else 0) + is_new_executor
    action_type.policy_version = (last.policy_version if last else 0) + are_new_rules
    action_type.save_as(actor, reason)
    if last and not (is_new_executor or are_new_rules):
        return last
    version = ActionTypeVersion(
        action_type=action_type,
        executor_version=action_type.executor_version,
        policy_version=action_type.policy_version,
        executor=executor,
        rules=rules,
        published_by=actor,
        published_at=db_now(),
    )
    version.save(force_insert=True)
    return version


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
    document = binding.request_document(
        action_id=action_id,
        revision=1,
        tenant=action_type.tenant.slug,
        action=action_type.name,
        params=params,
        amount=amount,
        currency=currency,
        customer_id=None,
        executor=executor_part(action_type),
    )
    payload = binding.payload(document)
    began = monotonic()
    try:
        found, error = executor.preview(Call(action_id, action_type.name, payload)), ""
    except PreviewFailed as failure:
        found, error = None, failure.message
    return Trial(payload.decode(), round((monotonic() - began) * 1000), found, error)
