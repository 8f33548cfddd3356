"""What leaves the house of a customer, by the tenant's wish. Pure."""

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices

from cases.presentation import masked

IDENTIFYING = ("reference", "email", "phone")
SHORTEST = 4  # characters: a shorter value would be found inside of ordinary words


class CustomerFields(TextChoices):
    OMIT = "omit", "Leave them out"
    MASK = "mask", "Mask them"
    KEEP = "keep", "Keep them"


class Scrubber:
    """Takes one customer's own reference, address and number out of every text of their case.

    ``mask`` leaves the first letters, as the back office does; ``omit`` leaves the name of the field alone. Names and
    addresses that only the texts know are beyond this: whoever exports texts exports what people wrote.
    """

    def __init__(self, customer: Mapping[str, Any] | None, how: CustomerFields) -> None:
        self.customer = customer or {}
        self.how = how
        self._replaced: list[tuple[str, str]] = []
        if not self.customer or how == CustomerFields.KEEP:
            return
        known = [(name, self.customer.get(name)) for name in IDENTIFYING]
        known = [(name, value) for name, value in known if isinstance(value, str) and len(value) >= SHORTEST]
        known.sort(key=lambda pair: -len(pair[1]))  # The longest first: one value may be a part of another.
        self._replaced = [(value, self._stand_in(name, value)) for name, value in known]

    @property
    def has_work(self) -> bool:
        """Whether ``clean`` may change a text."""
        return bool(self._replaced)

    def fields(self) -> dict[str, Any] | None:
        """The customer as a field of its own; None where it is left out."""
        if self.how == CustomerFields.OMIT or not self.customer:
            return None
        if self.how == CustomerFields.KEEP:
            return dict(self.customer)
        return {name: masked(value) if name in IDENTIFYING else value for name, value in self.customer.items() if value}

    def clean(self, value: Any) -> Any:
        """``value`` with every text in it treated, at any depth."""
        if not self._replaced:
            return value
        if isinstance(value, str):
            for text, stand_in in self._replaced:
                value = value.replace(text, stand_in)
            return value
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        if isinstance(value, dict):
            return {name: self.clean(item) for name, item in value.items()}
        return value

    def _stand_in(self, name: str, value: str) -> str:
        return masked(value) if self.how == CustomerFields.MASK else f"[{name}]"
