"""The shapes that the API answers with, for the OpenAPI document, and the small bodies that it takes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ..evaluations import Status
from ..models import Case, CaseEvent, RecallRun
from ..rules_document import DOMAIN
from ..states import State
from ..vocabulary import Depth, Kind, Risk, Route, Signal, Stage, Trigger, Verdict
from ..wire.fields import (
    AwareDateTimeField,
    EnumField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from ..wire.intake import ACTION, SLUG, PatternField
from ..wire.openapi import WireIdField


class NoteSerializer(StrictSerializer):
    reason = StrictCharField(max_length=2000, required=False, allow_null=True, allow_blank=True)


class ContributionSerializer(serializers.Serializer):
    signal = serializers.ChoiceField(Signal.choices)
    value = serializers.FloatField(allow_null=True)
    weight = serializers.FloatField()
    points = serializers.FloatField()
    reading = serializers.CharField()
    source = serializers.ChoiceField(
        [status.value for status in Status],
        required=False,
        help_text="Where the signal is evaluated here: what became of that. `value` is ours, null where there is none.",
    )
    claimed = serializers.FloatField(
        required=False, allow_null=True, help_text="What the caller sent for a signal that is evaluated here."
    )


class ReceiptSerializer(serializers.Serializer):
    """The triage of a case that was taken in."""

    case_id = WireIdField(Case.PREFIX)
    external_id = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(State.choices)
    route = serializers.ChoiceField(Route.choices)
    risk_level = serializers.ChoiceField(Risk.choices)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    contributions = ContributionSerializer(many=True)
    triggers = serializers.ListField(child=serializers.ChoiceField(Trigger.choices))
    reason_for_escalation = serializers.CharField()
    queue = serializers.CharField(allow_null=True)
    queue_reason = serializers.CharField(allow_null=True)
    sla_deadline = serializers.DateTimeField(allow_null=True)
    action_id = WireIdField("act", allow_null=True)
    interim_answer = serializers.CharField(allow_null=True)
    customer_message = serializers.CharField(allow_null=True)
    status_url = serializers.URLField()
    review_url = serializers.URLField()


class LinkedActionSerializer(serializers.Serializer):
    action_id = WireIdField("act")
    action = serializers.CharField()
    state = serializers.CharField()
    impact = serializers.ChoiceField(Risk.choices)
    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    reference = serializers.CharField(
        allow_null=True, help_text="The executor's own, such as a booking's number; null until it is executed."
    )


class OutcomeSerializer(serializers.Serializer):
    verdict = serializers.ChoiceField(Verdict.choices)
    final_decision = serializers.CharField(allow_null=True)
    final_answer = serializers.CharField(allow_null=True)
    decided_by = serializers.ChoiceField(Case.DecidedBy.choices)
    decided_at = serializers.DateTimeField()
    actions = LinkedActionSerializer(many=True)


class CustomerAnswerSerializer(serializers.Serializer):
    reference = serializers.CharField(required=False, allow_null=True)
    email = serializers.CharField(required=False, allow_null=True)
    phone = serializers.CharField(required=False, allow_null=True)
    locale = serializers.CharField(required=False, allow_null=True)


class ReleaseAnswerSerializer(serializers.Serializer):
    model = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    prompt_version = serializers.CharField(allow_null=True)
    retrieval_version = serializers.CharField(allow_null=True)


class CaseSerializer(serializers.Serializer):
    """A case as it is now."""

    case_id = WireIdField(Case.PREFIX)
    external_id = serializers.CharField(allow_null=True)
    tenant_id = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    domain = serializers.CharField()
    language = serializers.CharField()
    risk_level = serializers.ChoiceField(Risk.choices)
    state = serializers.ChoiceField(State.choices)
    in_review = serializers.BooleanField()
    in_review_by = serializers.CharField(allow_null=True)
    route = serializers.ChoiceField(Route.choices)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    triggers = serializers.ListField(child=serializers.ChoiceField(Trigger.choices))
    reason_for_escalation = serializers.CharField()
    draft_number = serializers.IntegerField(min_value=1)
    queue = serializers.CharField(allow_null=True)
    queue_reason = serializers.CharField(allow_null=True)
    sla_deadline = serializers.DateTimeField(allow_null=True)
    sla_breached = serializers.BooleanField()
    user_question = serializers.CharField(allow_null=True)
    interim_answer = serializers.CharField(allow_null=True)
    customer = CustomerAnswerSerializer(allow_null=True)
    outcome = OutcomeSerializer(allow_null=True)
    actions = LinkedActionSerializer(many=True)
    opened_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when its texts are gone, on the customer's request or for their age."
    )
    tags = serializers.ListField(child=serializers.CharField())
    trace_id = serializers.CharField(allow_null=True)
    release = ReleaseAnswerSerializer()
    status_url = serializers.URLField()
    review_url = serializers.URLField()
    resume_token = serializers.CharField(
        required=False, allow_null=True, help_text="Returned to the caller who sent it only."
    )


class EventSerializer(serializers.Serializer):
    event_id = WireIdField(CaseEvent.PREFIX)
    type = serializers.ChoiceField(CaseEvent.Kind.choices)
    at = serializers.DateTimeField()
    by = serializers.CharField()
    data = serializers.DictField()
    subject = serializers.CharField(required=False)
    note = serializers.CharField(required=False)


class TimelineSerializer(serializers.Serializer):
    """Oldest first, at most 500."""

    results = EventSerializer(many=True)


class SwitchSerializer(StrictSerializer):
    """A stop or a resume: the scope and the reason. Without a tenant it is the caller's own."""

    reason = StrictCharField(max_length=200)
    tenant_id = PatternField(SLUG, required=False)
    everywhere = StrictBooleanField(required=False, help_text="Every tenant at once: for platform admins.")
    domain = PatternField(f"(?:{DOMAIN.pattern})?", required=False, allow_blank=True)
    action = PatternField(f"(?:{ACTION})?", required=False, allow_blank=True)


class StopSerializer(SwitchSerializer):
    depth = EnumField(
        [depth.name.lower() for depth in Depth],
        required=False,
        help_text="`decisions` (the default): nothing is decided or executed automatically. `dispatch`: what people "
        "approve is held too. A stop never loosens one that cuts deeper.",
    )


@extend_schema_field({"type": "integer", "enum": Stage.values})
class StageField(StrictIntegerField):
    """How far a resumption goes, in percent: one of ``Stage``."""

    default_error_messages = {"unknown": f"Send one of: {', '.join(map(str, Stage.values))}."}

    def to_internal_value(self, data: Any) -> Stage:
        share = super().to_internal_value(data)
        if share not in Stage.values:
            self.fail("unknown")
        return Stage(share)


class ResumeSerializer(SwitchSerializer):
    share = StageField(
        required=False,
        help_text="The stage: which percentage of what would pass by itself does. 0 (what people approve is dispatched "
        "again), 10, 50, or 100, the default.",
    )


class RecallSerializer(StrictSerializer):
    """Automatic approvals since a moment go back to people."""

    since = AwareDateTimeField()
    reason = StrictCharField(max_length=200)
    tenant_id = PatternField(SLUG, required=False)
    domain = PatternField(DOMAIN.pattern, required=False)
    preview = StrictBooleanField(required=False, help_text="Only count them: nothing is changed.")


class RecallAnswerSerializer(serializers.Serializer):
    """``recall_id`` is null in a preview. ``found`` is counted up to 5,001 there."""

    recall_id = WireIdField(RecallRun.PREFIX, allow_null=True)
    tenant_id = serializers.CharField()
    domain = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    found = serializers.IntegerField()
    recalled = serializers.IntegerField()
    finished_at = serializers.DateTimeField(allow_null=True)


class RecallListSerializer(serializers.Serializer):
    """Newest first, at most 20."""

    results = RecallAnswerSerializer(many=True)


class AutomationQuerySerializer(StrictSerializer):
    """Whose automation is asked about. A name that could not exist is refused: a typo must not answer yes."""

    tenant_id = PatternField(SLUG, required=False, help_text="Needed only by members of several tenants.")
    domain = PatternField(DOMAIN.pattern, required=False)
    action = PatternField(ACTION, required=False)


class AutomationSerializer(serializers.Serializer):
    ai_automation_enabled = serializers.BooleanField()
    why = serializers.CharField()
    share = serializers.IntegerField(
        min_value=0, max_value=100, help_text="The percentage of what would pass by itself that does."
    )
    tenant_id = serializers.CharField(allow_null=True, help_text="Null for every tenant at once.")
    domain = serializers.CharField(allow_null=True)
    action = serializers.CharField(allow_null=True)


class MovedSerializer(AutomationSerializer):
    """Where the scope stands now."""

    waits_for_second_person = serializers.BooleanField(
        help_text="Nothing has changed yet: the same request by another person confirms it."
    )
