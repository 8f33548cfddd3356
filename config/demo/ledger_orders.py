"""What the demo's orders cost, as the demo's own stories tell it: the ledger checks refunds against it. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from config.demo.stories import STORIES

CURRENCY = "USD"


@cache
def totals(tenant: str) -> Mapping[str, Decimal]:
    """Order number → what was paid, in ``CURRENCY``, for the orders that a tool of the tenant's assistant looked up."""
    found: dict[str, Decimal] = {}
    for told in (told for story in STORIES.get(tenant, ()) for told in story.told()):
        for _, _, output in told.tools:
            if isinstance(output, Mapping) and "order_id" in output and (paid := _paid(output)) is not None:
                found[str(output["order_id"])] = paid
    return found


def _paid(order: Mapping[str, Any]) -> Decimal | None:
    if "lines" in order and "unit_price" in order:
        return int(order["lines"]) * _money(order["unit_price"])
    amount = order.get("paid") or order.get("price")
    return _money(amount) if amount else None


def _money(text: Any) -> Decimal:
    return Decimal(str(text).replace(",", ""))
