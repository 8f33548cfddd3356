"""Hundreds of changes of one field each between what people saw, signed and what workers run: none is carried out.

By SQL on the rows, past every service, as somebody with the database's password would; by an edit; by a new executor.
Each happens in a savepoint over one and the same desk. Automation is stopped, so that only what people sign can run.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, transaction

from approvals import binding
from approvals.models import (
    ActionPreview,
    ActionRevision,
    ActionType,
    ActionVote,
    ApprovalAuthority,
    AuthorityUserPermission,
    Execution,
    ImpactRule,
    ProposedAction,
)
from approvals.services import edits, signing, types
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import CaseEvent, Content, Membership, User
from cases.models.people import system_actor
from cases.services import switch

from .desks import Desk, fresh, make_desk, run_due
from .till import Till

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

AT_LEAST = 300
BROKEN = (ObjectDoesNotExist, AttributeError)  # Rows that contradict each other are an error, and nobody gets past it.
# Who has signed before the change, and who signs after it what they saw before.
MOMENTS = {"seen": ("", "cara dan"), "half signed": ("cara", "dan"), "approved": ("cara dan", "")}


@dataclass(frozen=True)
class Scene:
    """An action of high impact that Cara and Dan may sign; ``other`` is another one like it."""

    desk: Desk
    action: ProposedAction
    other: ProposedAction

    @property
    def preview(self) -> ActionPreview:
        return self.action.current_preview

    @property
    def revision(self) -> ActionRevision:
        return self.action.revisions.get()


Mutation = Callable[[Scene], Any]


def of_rows(model: Any, rows: Callable[[Scene], dict[str, Any]], **fields: Any) -> Mutation:
    """An UPDATE behind every service's back; a value may be asked of the scene."""

    def mutate(scene: Scene) -> None:
        values = {name: value(scene) if callable(value) else value for name, value in fields.items()}
        model.objects.filter(**rows(scene)).update(**values)

    return mutate


def of_text(content: Callable[[Scene], Content], path: tuple[str, ...], value: Any) -> Mutation:
    """Another value, or none (``...``), at ``path`` of a row of text."""

    def mutate(scene: Scene) -> None:
        row = content(scene)
        body = json.loads(json.dumps(row.text))
        spot = body
        for name in path[:-1]:
            spot = spot[name]
        if value is ...:
            spot.pop(path[-1], None)
        else:
            spot[path[-1]] = value
        Content.objects.filter(pk=row.pk).update(body=body)

    return mutate


def of_payload(path: tuple[str, ...], value: Any, *, is_rehashed: bool) -> Mutation:
    """Another stored payload; ``is_rehashed`` also puts its hash everywhere, so that bytes and hash agree."""

    def mutate(scene: Scene) -> None:
        text = dict(scene.preview.content.text)
        document = json.loads(text["payload"])
        spot = document
        for name in path[:-1]:
            spot = spot[name]
        spot[path[-1]] = value
        forged = binding.payload(document)
        Content.objects.filter(pk=scene.preview.content_id).update(body=text | {"payload": forged.decode()})
        if is_rehashed:
            ProposedAction.objects.filter(pk=scene.action.pk).update(payload_hash=binding.payload_hash(forged))

    return mutate


def the_action(scene: Scene) -> dict[str, Any]:
    return {"pk": scene.action.pk}


def the_type(scene: Scene) -> dict[str, Any]:
    return {"pk": scene.desk.refunds.pk}


def the_rule(scene: Scene) -> dict[str, Any]:
    return {"action_type": scene.desk.refunds, "position": 2}  # up to 5,000


ACTION_FIELDS: dict[str, tuple[Any, ...]] = {
    "amount": (Decimal("4200.01"), Decimal("1.00"), Decimal("42.00"), Decimal("4999.99"), None),
    "currency": ("EUR", "JPY", "usd", ""),
    "name": ("issue_voucher", "issue_refund2", ""),
    "impact": ("low", "medium", "critical"),
    "required_approvals": (0, 1, 3, 9),
    "authority_code": ("small", "large", "none"),
    "may_run_alone": (True,),
    "revision": (2, 0),
    "payload_hash": (b"x" * 32, b"", None),
    "expires_at": (lambda s: s.action.expires_at + timedelta(days=9), lambda s: db_now() - timedelta(seconds=1)),
    "proposer": (lambda s: s.desk.world.supervisor, lambda s: s.desk.dan, lambda s: s.desk.cara),
    "current_preview": (lambda s: s.other.current_preview, None),
    "action_type": (lambda s: ActionType.objects.get(name="issue_voucher"), None),
}
TYPE_FIELDS: dict[str, tuple[Any, ...]] = {
    "executor": ("vault", "elsewhere"),
    "executor_version": (2, 0, 99),
    "policy_version": (2, 0, 99),
    "honours_keys": (False,),
    "is_active": (False,),
    "schema": ({"type": "object"}, {"type": "object", "required": ["to"]}, {}),
}
RULE_FIELDS: dict[str, tuple[Any, ...]] = {
    "condition": ("amount <= 100.0", "false", "broken(", "currency == 'EUR'", "amount > 4200.0"),
    "impact": ("low", "medium", "critical"),
    "approvals": (1, 3),
    "authority_code": ("large", "small"),
    "may_run_alone": (True,),
}
PARAMS: tuple[tuple[str, Any], ...] = (
    *(("order_id", value) for value in ("o_2", "O_1", "o_1 ", "о_1", "", 1, None, ["o_1"], ...)),
    ("note", "x"),
    ("to", "me"),
    ("amount", "9999.00"),
)
PAYLOAD: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("action_id",), "act_" + "0" * 32),
    (("revision",), 2),
    (("tenant",), "other"),
    (("proposer",), "somebody"),
    (("action",), "issue_voucher"),
    (("params", "order_id"), "o_2"),
    (("params", "note"), "x"),
    (("amount",), "4999.00"),
    (("amount",), "4200.0"),
    (("currency",), "EUR"),
    (("customer_id",), "cust_2"),
    (("executor", "version"), 2),
    (("executor", "digest"), "0" * 64),
    (("policy", "version"), 2),
    (("policy", "impact"), "low"),
    (("policy", "approvals"), 1),
    (("policy", "authority"), "small"),
    (("policy", "may_run_alone"), True),
    (("binding", "total"), "1.00"),
    (("expires_at",), "2099-01-01T00:00:00.000000Z"),
    (("nonce",), "0" * 32),
)


def mutations() -> Iterator[tuple[str, Mutation]]:
    for model, rows, table in (
        (ProposedAction, the_action, ACTION_FIELDS),
        (ActionType, the_type, TYPE_FIELDS),
        (ImpactRule, the_rule, RULE_FIELDS),
    ):
        for field, values in table.items():
            for number, value in enumerate(values):
                yield f"{model.__name__}.{field} {number}", of_rows(model, rows, **{field: value})
    for name, value in PARAMS:
        yield f"params.{name} {value!r}", of_text(lambda s: s.revision.content, ("params", name), value)
    yield "params all", of_text(lambda s: s.revision.content, ("params",), {})
    for value in ("cust_2", None, ...):
        yield f"customer {value!r}", of_text(lambda s: s.revision.content, ("customer_id",), value)
    for value in ({"total": "1.00"}, {}, ...):
        yield f"binding {value!r}", of_text(lambda s: s.preview.content, ("binding",), value)
    for value in ("0" * 32, ...):
        yield f"nonce {value!r}", of_text(lambda s: s.preview.content, ("nonce",), value)
    for path, value in PAYLOAD:
        for is_rehashed in (False, True):
            name = f"payload {'/'.join(path)}={value!r} rehashed={is_rehashed}"
            yield name, of_payload(path, value, is_rehashed=is_rehashed)
    for value in ("", "not JSON", "{}", ...):
        yield f"payload text {value!r}", of_text(lambda s: s.preview.content, ("payload",), value)
    yield "all text gone", lambda s: Content.objects.filter(pk=s.preview.content_id).update(body=None)
    yield "the wording gone", lambda s: Content.objects.filter(pk=s.revision.content_id).update(body=None)
    yield "the rule gone", lambda s: ImpactRule.objects.filter(**the_rule(s)).delete()
    yield "all rules gone", lambda s: ImpactRule.objects.filter(action_type=s.desk.refunds).delete()
    yield "the till says otherwise", lambda s: Till.open_total.update(total="80.00")
    yield "an edit", edit
    yield "a new executor", new_executor
    for field, value in (("max_amount", 4199), ("currency", "EUR"), ("max_impact", "medium"), ("is_active", False)):
        yield f"authority {field}", of_rows(ApprovalAuthority, lambda s: {"pk": s.desk.large.pk}, **{field: value})
    for who in ("cara", "dan"):
        yield (
            f"{who} lost it",
            lambda s, who=who: AuthorityUserPermission.objects.filter(user=getattr(s.desk, who)).delete(),
        )
        yield (
            f"{who} left",
            lambda s, who=who: Membership.objects.filter(user=getattr(s.desk, who)).update(is_active=False),
        )
        yield (
            f"{who} is closed",
            lambda s, who=who: User.objects.filter(pk=getattr(s.desk, who).pk).update(is_active=False),
        )


def edit(scene: Scene) -> None:
    change = edits.Edit({"order_id": "o_2"}, Decimal("4100.00"), "USD")
    seen = bytes(fresh(scene.action).payload_hash)
    with suppress(CountersignError):  # Approved, it can be edited no more.
        edits.edit(scene.action.pk, change, actor=scene.desk.cara, payload_hash=seen, reason="o_1 is closed")
        return
    ProposedAction.objects.filter(pk=scene.action.pk).update(amount=Decimal("4100.00"))


def new_executor(scene: Scene) -> None:
    scene.desk.refunds.honours_keys = False
    types.publish(scene.desk.refunds, actor=system_actor(), reason="it does not")


@pytest.fixture
def scene() -> Scene:
    desk = make_desk()
    vouchers = ActionType(tenant=desk.world.tenant, name="issue_voucher", title="Voucher", schema={"type": "object"})
    types.publish(vouchers, actor=system_actor(), reason="created")
    switch.stop(switch.Scope(desk.world.tenant), actor=system_actor(), reason="only people")
    other, action = desk.propose("4300.00"), desk.propose("4200.00", customer_id="cust_1")
    return Scene(desk, action, other)


def test_no_change_of_one_field_lets_anything_run_that_was_not_signed(scene, till):
    """Where a change can be made at all, the signed action does not run, and people are shown what has changed.

    ``seen``: both sign what they saw before. ``half signed``: Dan signs after. ``approved``: it only had to be run.
    """
    tried, wrong = 0, {}
    signed = reading_of(scene)
    for moment, (before, after) in MOMENTS.items():
        with transaction.atomic():
            if before:
                scene.desk.approve(scene.action, *people_of(scene, before))
            for name, mutate in mutations():
                if moment == "seen" and not name.startswith(("ProposedAction", "ImpactRule")):
                    continue  # The others are the same as half signed.
                with transaction.atomic():
                    if found := outcome(scene, mutate, after, signed):
                        wrong[moment, name] = found
                    tried += 1
                    transaction.set_rollback(True)
                Till.clear()
            transaction.set_rollback(True)
    assert wrong == {}
    assert tried >= AT_LEAST


def people_of(scene: Scene, names: str) -> list[User]:
    return [User.objects.get(pk=getattr(scene.desk, name).pk) for name in names.split()]


def reading_of(scene: Scene) -> bytes:
    return scene.preview.content.text["payload"].encode()


def outcome(scene: Scene, mutate: Mutation, after: str, signed: bytes) -> str:
    """What is wrong after the change, the signatures that are still to come, and the workers; nothing where all is
    well."""
    try:
        with transaction.atomic():
            mutate(Scene(scene.desk, fresh(scene.action), scene.other))
    except DatabaseError:
        return ""  # The database does not allow it at all.
    seen, is_broken = bytes(scene.action.payload_hash), True
    with suppress(*BROKEN):
        for person in people_of(scene, after):
            with suppress(CountersignError):
                signing.approve(scene.action.pk, actor=person, payload_hash=seen, signed_in_at=db_now())
        run_due()
        is_broken = False
    action = fresh(scene.action)
    if Till.count("execute") or Execution.objects.exists() or action.state in ("executed", "executing", "unknown"):
        return f"it ran: {action.state}"
    return "" if is_broken or is_shown(action, signed) else f"nothing shows: {action.state}"


def is_shown(action: ProposedAction, signed: bytes) -> bool:
    """Whether people see that something is different, or it can no longer be signed as it stands."""
    if action.state != "pending_approval":
        return action.state in ("preview_failed", "expired", "proposed")
    now = action.current_preview.content.text.get("payload") if action.current_preview else None
    if now is None or bytes(action.payload_hash or b"") != binding.payload_hash(now.encode()):
        return True  # Nothing that could be signed stands there.
    if now.encode() != signed:
        # Where the rules put back what was changed, only the nonce differs; people are told all the same.
        told = CaseEvent.objects.filter(subject=action.wire_id, kind=CaseEvent.Kind.ACTION_DRIFTED).exists()
        return bool(told or binding.differences(signed, now.encode())) and not signing.valid_votes(action)
    return len(signing.valid_votes(action)) < action.required_approvals


def test_what_is_append_only_cannot_be_changed_at_all(scene):
    scene.desk.approve(scene.action, scene.desk.cara)
    for model, change in (
        (ActionVote, {"verdict": "approve"}),
        (ActionVote, {"payload_hash": b"x" * 32}),
        (ActionVote, {"voter": scene.desk.dan}),
        (ActionPreview, {"payload_hash": b"x" * 32}),
        (ActionRevision, {"number": 2}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM approvals_actionvote")


def test_an_action_that_nobody_touched_runs(scene, till):
    """So that the test above means something."""
    scene.desk.approve(scene.action, scene.desk.cara, scene.desk.dan)
    run_due()
    assert till.paid[scene.action.wire_id] == json.loads(reading_of(scene))
