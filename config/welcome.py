"""What the demo prints when it is ready: where it is, who may sign in, and two requests to paste."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

FIRST_CASE = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": "Yes."}
FIRST_TENANT = "acme"


def lines(url: str, accounts: Mapping[str, Any], *, ledger_url: str = "") -> Iterator[str]:
    """``accounts`` is what `demo_world` wrote: users with role, tenant and password; tenants with a token each."""
    rows = [("Account", "Role", "Tenant", "Password")]
    rows += [
        (name, str(user["role"]), str(user["tenant"] or "–"), str(user["password"]))
        for name, user in accounts["users"].items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield f"\nCountersign runs at {url}/\n"
    if ledger_url:
        yield f"What approved actions really did, its ledger: {ledger_url}/\n"
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    tenants = accounts["tenants"]
    token = tenants.get(FIRST_TENANT, next(iter(tenants.values())))["token"]
    authorization = shlex.quote(f"Authorization: Token {token}")
    yield "\nSend a case, and see which cases there are:\n"
    yield f"  curl {url}/api/v1/cases/ -H {authorization} \\"
    yield f"    -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(FIRST_CASE))}\n"
    yield f"  curl {url}/api/v1/cases/ -H {authorization}\n"
