"""One process that decides and executes by itself for as long as its standard input is open: ``flipping`` starts eight.

Each round takes in a case that would pass by itself, with a refund that may run alone, and does what a worker would do
for whichever actions are due: the dry run, the approval by the policy, the execution.
"""

import itertools
import os
import sys
import threading
from argparse import ArgumentParser

SIGNED, STEPS = "ready", 4


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("tenant")
    options = parser.parse_args()
    import django

    django.setup()
    from django.conf import settings

    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    decide(options.tenant, over)


def decide(slug: str, over: threading.Event) -> None:
    """Says when it is ready, and at the end how many cases it sent and how many steps of actions it did."""
    from approvals.services import work
    from cases.models import Tenant, User
    from cases.services import intake
    from cases.wire.intake import parse_intake

    tenant = Tenant.objects.get(slug=slug)
    service = User.objects.get(username=f"{slug}-service")
    print(SIGNED, flush=True)
    sent = done = 0
    for number in itertools.count():
        if over.is_set():
            break
        intake.submit(parse_intake(refund(f"{os.getpid()}-{number}")), actor=service, tenant=tenant)
        sent += 1
        for _ in range(STEPS):
            done += work.run_next()
    print(sent, done, flush=True)


def refund(name: str) -> dict:
    """A case that passes by itself with an action that may run alone."""
    from tests.worlds import SURE

    return {
        "external_id": name,
        "domain": "billing",
        "user_question": "Refund of a parcel that came too late?",
        "model_draft": "Yes.",
        "signals": SURE,
        "proposed_action": {
            "action": "issue_refund",
            "params": {"order_id": name[-20:]},
            "amount": "5.00",
            "currency": "USD",
        },
    }


if __name__ == "__main__":
    main()
