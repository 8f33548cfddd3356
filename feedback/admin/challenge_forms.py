"""The form of a gold case: its texts as people write texts, its lists as blocks, no JSON."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cases.admin.fields import ChecksField, LinesField, MappingField
from cases.admin.forms import TrackedForm
from cases.vocabulary import Kind, Risk, Verdict
from cases.wire.intake import LANGUAGE

from ..gold import RIGHT_VERDICTS
from ..services import challenges

_HEAD = re.compile(r"(?P<name>.*?)(?: \((?P<more>[^()]*)\))?")
RULE = "---"
SLOT_HELP = (
    "One “slot: kind and shape” a line, for every [[slot]] in the texts: “name1: name”, “email1: email name1”, "
    "“id1: id ord_#####”, “phone1: phone +1 ### ####”, “amount1: amount 249.90”, “date1: date -40 %d %B %Y”."
)


class BlocksField(forms.CharField):
    """Blocks of a head and a text, with a line of three hyphens between them; a list of documents.

    ``keys`` names the head's two parts, “name (more)”, and the text.
    """

    def __init__(self, *, keys: tuple[str, str, str], rows: int = 6, **kwargs: Any) -> None:
        self.keys = keys
        widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"})
        super().__init__(required=False, max_length=400_000, strip=False, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        name, more, text = self.keys
        return f"\n{RULE}\n".join(
            f"{one.get(name, '')}{f' ({one[more]})' if one.get(more) not in (None, '') else ''}\n{one.get(text, '')}"
            for one in value
        )

    def clean(self, value: str) -> list[dict[str, Any]]:
        written = (super().clean(value) or "").replace("\r\n", "\n")
        blocks = [block.strip("\n") for block in re.split(rf"^{RULE}[ ]*$", written, flags=re.MULTILINE)]
        return [self._document(block) for block in blocks if block.strip()]

    def _document(self, block: str) -> dict[str, Any]:
        head, _, text = block.partition("\n")
        found = _HEAD.fullmatch(head.strip())
        name, more, body = self.keys
        made: dict[str, Any] = {name: found["name"], body: text.strip()}
        if found["more"] is not None:
            made[more] = self._more(found["more"])
        return made

    def _more(self, written: str) -> Any:
        if self.keys[1] != "score":
            return written
        try:
            return float(written)
        except ValueError as error:
            raise ValidationError("“%(text)s” is no score: write a number.", params={"text": written}) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (self.prepare_value(initial or []) or "") != (data or "").replace("\r\n", "\n")


def _action_words(action: Mapping[str, Any]) -> str:
    """An action and its parameters, a line each."""
    parts = dict(action) | {f"parameter {name}": value for name, value in (action.get("params") or {}).items()}
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in parts.items() if name != "params")


def _text(rows: int, label: str, **kwargs: Any) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"})
    return forms.CharField(label=label, required=False, max_length=100_000, widget=widget, **kwargs)


class ChallengeForm(TrackedForm):
    """Fields of ``body`` stand beside those of the row; what the form does not show of a body stays as it is."""

    user_question = _text(4, "Question")
    messages = BlocksField(
        keys=("role", "at", "content"),
        label="Earlier messages",
        help_text=f"Each as a line “user” or “assistant” and the text below it; “{RULE}” between two.",
    )
    model_draft = _text(6, "The AI's answer", help_text="Wrong in one way that can be found.")
    model_decision = forms.CharField(label="The AI's decision", required=False, max_length=100)
    reasoning = _text(3, "The AI's reasoning")
    evidence = BlocksField(
        keys=("document_id", "score", "quote"), help_text="Each as a line “document (0.83)” and the quote below it."
    )
    policies = BlocksField(
        keys=("policy_id", "title", "text"), rows=4, help_text="Each as a line with its id and the text below it."
    )
    tool_results = BlocksField(
        keys=("tool", "status", "output"), rows=4, help_text="Each as a line “get_order (ok)” and what it said."
    )
    kind = forms.ChoiceField(choices=[("", "As it follows"), *Kind.choices], required=False)
    language = forms.RegexField(LANGUAGE, required=False, max_length=35, help_text="Such as “en”.")
    risk_level = forms.ChoiceField(label="Risk", choices=[("", "Not said"), *Risk.choices], required=False)
    customer = MappingField(
        required=False,
        rows=3,
        help_text="“reference: …”, “email: …”, “phone: …”, “locale: …”. Empty: as the domain's real cases have it.",
    )
    attachments = BlocksField(
        keys=("url", "media_type", "sha256"),
        rows=3,
        help_text="Each as a line “https://… (application/pdf)” and its SHA-256 below it. Empty: as the domain's real "
        "cases have them, under names of no files.",
    )
    slots = MappingField(label="Slots", required=False, rows=6, help_text=SLOT_HELP)
    right_verdicts = ChecksField(choices=[(str(one), Verdict(one).label) for one in RIGHT_VERDICTS], required=True)
    must_contain = LinesField(
        label="The edited answer says", required=False, rows=3, help_text="One text a line; each has to be there."
    )
    must_not_contain = LinesField(
        label="It does not say", required=False, rows=3, help_text="One text a line; none may be there."
    )

    IN_BODY = (
        *("user_question", "messages", "model_draft", "model_decision", "reasoning", "evidence", "policies"),
        *("tool_results", "kind", "language", "risk_level", "customer", "attachments"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.IN_BODY:
            if name in self.fields:
                self.fields[name].initial = self.instance.body.get(name)

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.errors:
            return
        body = {name: value for name, value in self.instance.body.items() if name not in self.IN_BODY}
        body |= {name: self.cleaned_data[name] for name in self.IN_BODY if self.cleaned_data.get(name)}
        self.instance.body = body
        try:
            challenges.check(self.instance)
        except challenges.ChallengeInvalid as error:
            self.add_error(None, error.message)


def rows_of(body: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """A filled body for reading: the form's labels and the texts, in the form's order."""
    rows = []
    for name in ChallengeForm.IN_BODY:
        field, value = ChallengeForm.base_fields[name], body.get(name)
        if value:
            label = field.label or name.replace("_", " ").capitalize()
            written = field.prepare_value(value)
            rows.append((label, ", ".join(written) if isinstance(written, list) else str(written)))
    if action := body.get("proposed_action"):
        rows.append(("Proposed action, which never runs", _action_words(action)))
    return rows
