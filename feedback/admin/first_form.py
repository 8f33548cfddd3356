"""The form of a first opinion: what the person would decide, before they see what the AI said."""

from collections.abc import Sequence
from typing import Any

from django import forms

from ..services.firsts import LONGEST


class FirstForm(forms.Form):
    """One of the policy's decisions where there are such, else a sentence."""

    use_required_attribute = False

    decision = forms.CharField(label="What would you decide?", required=False, max_length=100)
    answer = forms.CharField(
        label="What should be answered or decided, in a sentence",
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, options: Sequence[str], data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        if options:
            self.fields["decision"].widget = forms.Select(choices=[("", "Choose"), *((one, one) for one in options)])
            self.fields["answer"].label = "Why, if you like"
        else:
            del self.fields["decision"]
