"""The bodies that the actions' API takes and gives, and an example of each for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from cases.models import Case
from cases.vocabulary import Risk
from cases.wire import examples
from cases.wire.examples import answered, sent
from cases.wire.fields import (
    CurrencyField,
    EnumField,
    JSONObjectField,
    MoneyField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    check_money,
)
from cases.wire.intake import SLUG, PatternField, ProposedActionSerializer
from cases.wire.openapi import WireIdField

from .models import ExecutionResult, ProposedAction
from .states import ActionState

REASON = 2000  # characters
FINDINGS = ("executed", "not_executed")
HASH = r"sha256:[0-9a-f]{64}"


class ProposalSerializer(ProposedActionSerializer):
    """An action that no case stands behind."""

    tenant_id = PatternField(SLUG, required=False, help_text="The tenant's slug; needed only by members of several.")


def hash_field(**kwargs: Any) -> PatternField:
    return PatternField(HASH, help_text="The payload_hash that you saw: if another stands there now, 412.", **kwargs)


class ApprovalSerializer(StrictSerializer):
    payload_hash = hash_field()
    reason = StrictCharField(max_length=REASON, required=False, allow_null=True, allow_blank=True)


class RejectionSerializer(StrictSerializer):
    payload_hash = hash_field()
    reason = StrictCharField(max_length=REASON)


class EditSerializer(StrictSerializer):
    """The whole action anew: what is left out is not asked for any more."""

    params = JSONObjectField(max_bytes=100_000)
    amount = MoneyField(required=False)
    currency = CurrencyField(required=False)
    payload_hash = hash_field(required=False, allow_null=True)
    reason = StrictCharField(max_length=REASON)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_money(attrs.get("amount"), attrs.get("currency"))
        return attrs


class EmptySerializer(StrictSerializer):
    """Nothing has to be said."""


class FindingSerializer(StrictSerializer):
    """One of three: ``result`` with its ``evidence``, ``look_up`` or ``send_again``."""

    result = EnumField(FINDINGS, required=False, help_text="What you found out. It cannot be taken back.")
    evidence = StrictCharField(
        max_length=REASON, required=False, allow_blank=True, help_text="What shows it; required with a result."
    )
    look_up = StrictBooleanField(required=False, help_text="Ask the executor, now.")
    send_again = StrictBooleanField(required=False, help_text="Only where the executor honours keys.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        asked = [name for name in ("result", "look_up", "send_again") if attrs.get(name)]
        if len(asked) != 1 or ("evidence" in attrs and asked != ["result"]):
            raise serializers.ValidationError(
                "Send a result with its evidence, or look_up, or send_again, and only one of them.", code="one_of_three"
            )
        return attrs


class SignatureSerializer(serializers.Serializer):
    by = serializers.CharField()
    on_behalf_of = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class ActionPreviewSerializer(serializers.Serializer):
    """What the dry run said: ``binding`` must still hold when the action is carried out, ``info`` is for the eye."""

    binding = serializers.DictField(allow_null=True)
    info = serializers.DictField(allow_null=True)
    at = serializers.DateTimeField()


class ActionResultSerializer(serializers.Serializer):
    state = serializers.CharField(help_text="executed, failed, unknown or absent.")
    source = serializers.ChoiceField(ExecutionResult.Source.choices)
    reference = serializers.CharField(allow_null=True, help_text="The executor's own, such as a booking's number.")
    cause = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class ActionSerializer(serializers.Serializer):
    """An action as it is now. What you may not see is null."""

    action_id = WireIdField(ProposedAction.PREFIX)
    tenant_id = serializers.CharField()
    case_id = WireIdField(Case.PREFIX, allow_null=True)
    action = serializers.CharField()
    state = serializers.ChoiceField(ActionState.choices)
    revision = serializers.IntegerField(min_value=1)
    impact = serializers.ChoiceField(Risk.choices)
    required_approvals = serializers.IntegerField()
    missing_approvals = serializers.IntegerField(help_text="More signatures that it needs under this hash.")
    signatures = SignatureSerializer(many=True, help_text="Approvals of what stands there now.")
    authority_code = serializers.CharField(allow_null=True, help_text="The one authority that may approve it, if any.")
    may_run_alone = serializers.BooleanField()
    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    params = serializers.DictField(allow_null=True)
    customer_id = serializers.CharField(allow_null=True)
    policy_basis = serializers.CharField(
        allow_null=True, help_text="As the model claims it; never taken for authority."
    )
    payload_hash = serializers.CharField(allow_null=True, help_text="Send it with a decision. Null before the dry run.")
    preview = ActionPreviewSerializer(allow_null=True, help_text="Null until the dry run has answered.")
    problem = serializers.CharField(allow_null=True, help_text="What went wrong last.")
    result = ActionResultSerializer(allow_null=True, help_text="Null before it was sent to its executor.")
    proposed_by = serializers.CharField()
    edited_by = serializers.CharField(allow_null=True)
    proposed_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField(allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField()
    status_url = serializers.URLField()


class WholeActionSerializer(ActionSerializer):
    """One action as it is now, with the bytes that are approved. What you may not see is null."""

    payload = serializers.CharField(
        allow_null=True, help_text="RFC 8785 JSON, byte for byte what is sent: its SHA-256 is the payload_hash."
    )


SHOWN_HASH = "sha256:" + "9f86d081" * 8
PROPOSAL = {
    "action": "issue_refund",
    "params": {"order_id": "o_1"},
    "amount": "420.00",
    "currency": "USD",
    "customer_id": "cust_981",
    "policy_basis": "damaged on arrival",
}
WAITING: dict[str, Any] = {
    "action_id": examples.ACTION_ID,
    "tenant_id": "acme",
    "case_id": None,
    "action": "issue_refund",
    "state": "pending_approval",
    "revision": 1,
    "impact": "medium",
    "required_approvals": 1,
    "missing_approvals": 1,
    "signatures": [],
    "authority_code": None,
    "may_run_alone": False,
    "amount": "420.00",
    "currency": "USD",
    "params": {"order_id": "o_1"},
    "customer_id": "cust_981",
    "policy_basis": "damaged on arrival",
    "payload_hash": SHOWN_HASH,
    "preview": {
        "binding": {"before": "500.00 USD", "after": "80.00 USD"},
        "info": {"note": "The money arrives within five days."},
        "at": "2027-05-09T14:00:02Z",
    },
    "problem": None,
    "result": None,
    "proposed_by": "service",
    "edited_by": None,
    "proposed_at": "2027-05-09T14:00:00Z",
    "decide_by": "2027-05-09T18:00:02Z",
    "approved_at": None,
    "expires_at": "2027-05-10T14:00:00Z",
    "status_url": f"https://countersign.example/api/v1/actions/{examples.ACTION_ID}/",
    "payload": '{"action":"issue_refund","action_id":"…"}',
}
PROPOSED = WAITING | {
    "state": "proposed",
    "payload_hash": None,
    "preview": None,
    "payload": None,
    "decide_by": None,
}
EXECUTED = WAITING | {
    "state": "executed",
    "missing_approvals": 0,
    "signatures": [{"by": "Ann Reed", "on_behalf_of": None, "at": "2027-05-09T14:20:00Z"}],
    "approved_at": "2027-05-09T14:20:00Z",
    "result": {
        "state": "executed",
        "source": "call",
        "reference": "ledger-4711",
        "cause": "The executor carried it out.",
        "at": "2027-05-09T14:20:11Z",
    },
}

ONE = [answered("Waits for approval", WAITING), answered("Executed", EXECUTED)]
PROPOSE = [sent("A refund", PROPOSAL), answered("Its dry run is still to come", PROPOSED, 201)]
APPROVE = [sent("What you saw", {"payload_hash": SHOWN_HASH, "reason": "Photograph in the ticket."}), *ONE]
REJECT = [sent("With the reason", {"payload_hash": SHOWN_HASH, "reason": "The order was never delivered."}), *ONE]
EDIT = [
    sent(
        "Half of it",
        {
            "params": {"order_id": "o_1"},
            "amount": "210.00",
            "currency": "USD",
            "payload_hash": SHOWN_HASH,
            "reason": "One of two was damaged.",
        },
    ),
    *ONE,
]
NOTE = [sent("With a reason", {"reason": "Ordered by mistake."}), sent("Without", {}), *ONE]
RECONCILE = [
    sent("Found out", {"result": "executed", "evidence": "Statement 12, line 4."}),
    sent("Ask the executor", {"look_up": True}),
    sent("Send it again under the same key", {"send_again": True}),
    *ONE,
]
