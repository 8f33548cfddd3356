"""Form fields that let people write lists and pairs as lines, where the model keeps JSON."""

from collections.abc import Sequence

from django import forms
from django.core.exceptions import ValidationError

MAX_LINES = 200


class LinesField(forms.CharField):
    """One entry a line; a list of texts."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 4, **kwargs) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": rows, "class": "lines", "spellcheck": "false"}), **kwargs)

    def prepare_value(self, value: object) -> object:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self, value: str) -> list[str]:
        lines = [line.strip() for line in (super().clean(value) or "").splitlines() if line.strip()]
        if len(lines) > MAX_LINES:
            raise ValidationError("More than %(most)s lines.", params={"most": MAX_LINES})
        return list(dict.fromkeys(lines))

    def has_changed(self, initial, data) -> bool:
        return self.prepare_value(initial or []) != "\n".join((data or "").split("\r\n")).strip()


class PairsField(LinesField):
    """One `name: words` a line; a list of pairs."""

    def prepare_value(self, value: object) -> object:
        if isinstance(value, dict):
            value = list(value.items())
        return "\n".join(f"{name}: {words}" for name, words in value) if isinstance(value, list) else value

    def clean(self, value: str) -> list[list[str]]:
        pairs = []
        for number, line in enumerate(super().clean(value), start=1):
            name, colon, words = line.partition(":")
            if not (colon and name.strip() and words.strip()):
                raise ValidationError("Line %(number)s is not “name: words”.", params={"number": number})
            pairs.append([name.strip(), words.strip()])
        return pairs


class MappingField(PairsField):
    """One `name: value` a line; a dictionary."""

    def clean(self, value: str) -> dict[str, str]:
        return dict(super().clean(value))


class ChecksField(forms.MultipleChoiceField):
    """A few words of a closed list, as check boxes, in the list's order."""

    def __init__(self, *, choices: Sequence[tuple[str, str]], **kwargs) -> None:
        super().__init__(choices=choices, widget=forms.CheckboxSelectMultiple, **({"required": False} | kwargs))


class MomentField(forms.DateTimeField):
    """A date and a time in UTC, by the browser's own control."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs) -> None:
        super().__init__(**({"required": False} | kwargs))
