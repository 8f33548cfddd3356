"""Whether what an action asks for can be done at all: its parameters and its money. Pure; asked at every dry run."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cases.currencies import CODES, fits

from .errors import ParamsInvalid
from .schemas import check_params

# Where parameters repeat the money under these names, they have to agree with it.
AMOUNT, CURRENCY = "amount", "currency"


def check_request(
    schema: Mapping[str, Any], params: Mapping[str, Any], *, amount: str | None, currency: str | None
) -> None:
    """Raise ``ParamsInvalid`` unless ``params`` keep to ``schema`` and the money is sound and the same in both."""
    inside = [error | {"pointer": f"/params{error['pointer']}"} for error in check_params(schema, params)]
    errors = [*inside, *_money_errors(params, amount, currency)]
    if errors:
        raise ParamsInvalid(errors)


def _money_errors(params: Mapping[str, Any], amount: str | None, currency: str | None) -> list[dict[str, str]]:
    found = []
    if (amount is None) != (not currency):
        found.append(_error("/amount", "required", "An amount has a currency, and a currency an amount."))
    elif amount is not None:
        found += _amount_errors(amount, str(currency))
    if AMOUNT in params and not _same_amount(params[AMOUNT], amount):
        found.append(_error("/params/amount", "disagrees", "The amount in the parameters is not the action's amount."))
    if CURRENCY in params and params[CURRENCY] != currency:
        found.append(
            _error("/params/currency", "disagrees", "The currency in the parameters is not the action's currency.")
        )
    return found


def _amount_errors(amount: str, currency: str) -> list[dict[str, str]]:
    if currency not in CODES:
        return [_error("/currency", "invalid", "This is no ISO 4217 code of a currency.")]
    value = _decimal(amount)
    if value is None or value <= 0:
        return [_error("/amount", "not_positive", "An amount is greater than zero.")]
    if not fits(value, currency):
        return [_error("/amount", "minor_units", f"{currency} has fewer digits after the point.")]
    return []


def _same_amount(value: Any, amount: str | None) -> bool:
    """Numbers as texts, or as JSON numbers that say the same: a refund of "12.50" has 12.5 in its parameters."""
    if amount is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return _decimal(str(value)) == Decimal(amount)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _error(pointer: str, code: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": message}
