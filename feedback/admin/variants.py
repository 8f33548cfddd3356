"""The fields that say how a variant of a policy differs from it: for shadows and for what-ifs alike."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cases.admin.fields import LinesField, MappingField
from cases.models import Policy
from cases.rules import Rules
from cases.rules_document import CONDITION_TRIGGERS, RulesInvalid
from cases.vocabulary import Signal, Use

UNIT = {"min_value": 0, "max_value": 1, "required": False}
THRESHOLDS = ("auto_approve_above", "quick_review_from", "new_release_threshold")


def _unit(help_text: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "0.01"})
    return forms.FloatField(**UNIT, widget=widget, help_text=help_text)


class VariantFields(forms.Form):
    """What differs from the policy: every field left empty stays as the policy has it at this moment."""

    auto_approve_above = _unit("A draft passes only strictly above this confidence.")
    quick_review_from = _unit("Below it, a full investigation.")
    new_release_threshold = _unit("The stricter threshold while a release is new.")
    weights = MappingField(
        required=False, rows=4, help_text="One “signal: weight” a line, such as “judge_score: 0.3”; 0 leaves it out."
    )
    left_out = LinesField(
        label="Conditions left out",
        required=False,
        rows=3,
        help_text="The names of conditions of the policy, one a line.",
    )
    conditions = LinesField(
        label="Further conditions",
        required=False,
        rows=3,
        help_text="One “name | trigger | CEL” a line. Triggers: " + ", ".join(map(str, CONDITION_TRIGGERS)) + ".",
    )

    def document(self, policy: Policy, cleaned: dict[str, Any]) -> dict[str, Any]:
        """The policy's document with what differs; what is wrong becomes an error of the form."""
        document = policy.document()
        for name in THRESHOLDS:
            if cleaned.get(name) is not None:
                document[name] = cleaned[name]
        if weights := self._weights(document["signals"], cleaned):
            document["signals"], document["learned"] = document["signals"] | weights, None
        left_out = set(cleaned.get("left_out") or ())
        if unknown := left_out - {one["name"] for one in document["conditions"]}:
            self.add_error("left_out", f"The policy has no condition “{sorted(unknown)[0]}”.")
        document["conditions"] = [one for one in document["conditions"] if one["name"] not in left_out]
        for line in cleaned.get("conditions") or ():
            parts = [part.strip() for part in line.split("|", 2)]
            if len(parts) < 3:
                self.add_error(
                    "conditions", ValidationError("“%(line)s” is not “name | trigger | CEL”.", params={"line": line})
                )
                continue
            document["conditions"].append(dict(zip(("name", "trigger", "expression"), parts, strict=True)))
        try:
            Rules.from_document(document)
        except RulesInvalid as error:
            self.add_error(None, error.message)
        return document

    def _weights(self, signals: dict[str, Any], cleaned: dict[str, Any]) -> dict[str, Any]:
        changed = {}
        for name, text in (cleaned.get("weights") or {}).items():
            try:
                weight = float(text)
            except ValueError:
                weight = -1.0
            if name not in Signal.values or not 0 <= weight <= 1000:
                self.add_error("weights", f"“{name}: {text}” is not a signal and its weight.")
                continue
            use = signals.get(name, {}).get("use", Use.UNUSED)
            use = Use.UNUSED if not weight else Use.OPTIONAL if use == Use.UNUSED else use
            changed[name] = {"weight": weight, "use": str(use)}
        return changed
