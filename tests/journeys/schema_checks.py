"""What schemathesis checks beside its own checks; loaded by it through ``SCHEMATHESIS_HOOKS``."""

from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Rules of the request that JSON Schema has no words for. A valid body may be refused for these and for nothing else.
UNSAYABLE = {
    "aside_invalid",  # a colleague whom the tenant does not have or who is away, an instant that is past or too late
    "blank",  # a NUL or white space alone, in a query parameter
    "external_id_taken",  # in bulk: known with another body
    "invalid_cursor",  # a cursor is whatever the server wrote
    "key_reused",  # an Idempotency-Key belongs to the first request that brought it
    "evidence_missing",  # goes with a finding
    "format_mismatch",  # each kind of export goes into some formats only
    "metrics_not_available",  # some dimensions and metrics do not combine; a window ends after it began
    "minor_units",  # an amount has the digits of its currency
    "number_too_large",  # inside an object of the caller's own making
    "recall_moment",  # an instant that is past
    "required",  # an amount and its currency come together
    "one_of_three",  # ways to reconcile
    "params_invalid",  # each action type has a schema of its own for them
    "review_invalid",  # what a verdict needs beside it
    "stale_generation",  # a claim that is somebody else's by now
    "stale_payload",  # something else stands on the action by now
    "too_deep",  # the same
    "too_large",  # bytes, not characters
    "unknown_action",  # the tenant has it, or has not
    "window",  # until comes after since
    "year",  # instants from 1970 on
}


@schemathesis.check
def valid_data_is_refused_only_for_what_a_schema_cannot_say(ctx: Any, response: Any, case: Any) -> None:
    """schemathesis' own check of positive data, with the answer's codes taken into account."""
    try:
        positive_data_acceptance(ctx, response, case)
    except Failure:
        problem = response.json()
        if problem["code"] not in UNSAYABLE and not codes(problem) <= UNSAYABLE:
            raise


def codes(problem: dict[str, Any]) -> set[str]:
    """Every field's code, or the document's own where no field is named."""
    return {error["code"] for error in problem["errors"]} or {problem["code"]}
