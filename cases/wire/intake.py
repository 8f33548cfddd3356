"""The intake's shape (DESIGN section 4): every field, its type and its bound."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from ..evaluations import Evaluations
from ..rules_document import DOMAIN
from ..vocabulary import Kind, Risk, Signal, Trigger
from .fields import (
    AwareDateTimeField,
    CurrencyField,
    EnumField,
    JSONObjectField,
    MoneyField,
    SlugListField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    StrictUnitField,
    StrictURLField,
    check_money,
)

TEXT = 200_000  # characters; the body's own bound is 1 MB.
LIST = 200
SLUG = r"[a-z0-9-]{1,50}"
ACTION = r"[a-z][a-z0-9_]{0,49}"
LANGUAGE = r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*"
TRACEPARENT = r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # W3C Trace Context, version 00.


def trace_of(traceparent: str) -> str:
    """The trace's id in a ``traceparent``: 32 hex digits; nothing where there is none or it is all zeros."""
    return traceparent[3:35] if traceparent[3:35].strip("0") else ""


def optional_text(length: int) -> StrictCharField:
    return StrictCharField(max_length=length, required=False, allow_null=True, allow_blank=True)


class PatternField(serializers.RegexField):
    """A text of one form. Only a JSON string will do."""

    def __init__(self, regex: str, **kwargs: Any) -> None:
        super().__init__(rf"\A(?:{regex})\Z", trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MessageSerializer(StrictSerializer):
    role = StrictCharField(max_length=50)
    content = StrictCharField(max_length=TEXT, allow_blank=True)
    at = AwareDateTimeField(required=False)


class EvidenceSerializer(StrictSerializer):
    document_id = StrictCharField(max_length=200)
    quote = StrictCharField(max_length=TEXT, allow_blank=True)
    score = StrictUnitField(required=False)
    url = StrictURLField(required=False)


class PolicyTextSerializer(StrictSerializer):
    policy_id = StrictCharField(max_length=200)
    text = StrictCharField(max_length=TEXT, allow_blank=True)


class ToolResultSerializer(StrictSerializer):
    tool = StrictCharField(max_length=200)
    status = StrictCharField(max_length=50)
    output = StrictCharField(max_length=TEXT, allow_blank=True, required=False)


class SignalsSerializer(StrictSerializer):
    """All in [0, 1], and higher is safer."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: StrictUnitField(required=False) for name in Signal.values}


class ReleaseSerializer(StrictSerializer):
    model = optional_text(100)
    version = optional_text(100)
    prompt_version = optional_text(100)
    retrieval_version = optional_text(100)


class CustomerSerializer(StrictSerializer):
    reference = optional_text(200)
    email = optional_text(254)
    phone = optional_text(50)
    locale = optional_text(35)
    time_zone = optional_text(60)


class ProposedActionSerializer(StrictSerializer):
    action = PatternField(ACTION, max_length=50)
    params = JSONObjectField(max_bytes=100_000)
    amount = MoneyField(required=False)
    currency = CurrencyField(required=False)
    customer_id = optional_text(200)
    policy_basis = optional_text(2000)
    requires_approval = StrictBooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_money(attrs.get("amount"), attrs.get("currency"))
        return attrs


class AttachmentSerializer(StrictSerializer):
    url = StrictURLField()
    media_type = StrictCharField(max_length=100)
    sha256 = PatternField(r"[0-9a-f]{64}")


class DraftSerializer(StrictSerializer):
    """What an AI says about a case; the part of the intake that a new draft brings again."""

    model_draft = optional_text(TEXT)
    model_decision = optional_text(100)
    reasoning = optional_text(TEXT)
    evidence = EvidenceSerializer(many=True, required=False, max_length=LIST)
    policies = PolicyTextSerializer(many=True, required=False, max_length=LIST)
    tool_results = ToolResultSerializer(many=True, required=False, max_length=LIST)
    signals = SignalsSerializer(required=False)
    triggers = serializers.ListField(child=EnumField(Trigger), required=False, max_length=len(Trigger))
    release = ReleaseSerializer(required=False, allow_null=True)


class IntakeSerializer(DraftSerializer):
    """One case. Only ``domain`` and ``user_question`` are required; what is absent is uncertain, never safe."""

    external_id = optional_text(200)
    tenant_id = PatternField(SLUG, required=False, help_text="The tenant's slug; needed only by members of several.")
    kind = EnumField(Kind, required=False)
    domain = PatternField(DOMAIN.pattern)
    language = PatternField(LANGUAGE, max_length=35, required=False)
    user_question = StrictCharField(max_length=TEXT)
    messages = MessageSerializer(many=True, required=False, max_length=LIST)
    risk_level = EnumField(Risk, required=False)
    reason_for_escalation = optional_text(2000)
    limited_answer = optional_text(10_000)
    sla_deadline = AwareDateTimeField(required=False)
    customer = CustomerSerializer(required=False, allow_null=True)
    proposed_action = ProposedActionSerializer(required=False, allow_null=True)
    attachments = AttachmentSerializer(many=True, required=False, max_length=LIST)
    tags = SlugListField(required=False)
    trace_id = optional_text(128)
    traceparent = PatternField(TRACEPARENT, required=False)
    resume_token = optional_text(500)
    metadata = JSONObjectField(max_bytes=20_000, required=False)


@dataclass(frozen=True)
class Intake:
    """A valid intake: ``raw`` as it was sent, for the texts and the proof; ``values`` parsed, for columns and rules.

    ``evaluations`` is what our own evaluators said; the signals of ``values`` are then those that count.
    """

    raw: dict[str, Any]
    values: dict[str, Any]
    evaluations: Evaluations | None = None  # None: nobody has evaluated it yet.

    def get(self, name: str, default: Any = None) -> Any:
        """The parsed value, with null and absence alike."""
        value = self.values.get(name)
        return default if value is None else value


def parse_intake(raw: Any) -> Intake:
    """Check one intake; raises DRF's ``ValidationError`` with an error per field."""
    serializer = IntakeSerializer(data=raw)
    serializer.is_valid(raise_exception=True)
    return Intake(raw=raw, values=serializer.validated_data)


def parse_draft(raw: Any) -> Intake:
    """Check one new draft for a case that is known."""
    serializer = DraftSerializer(data=raw)
    serializer.is_valid(raise_exception=True)
    return Intake(raw=raw, values=serializer.validated_data)
