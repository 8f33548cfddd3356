"""Taking in many cases at once, of one tenant or of several: all of them, or none."""

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction

from ..models import Tenant, User
from ..wire.intake import Intake
from .intake import ExternalIdTaken, Receipt, submit_all


@transaction.atomic
def submit(sent: Sequence[tuple[Tenant, Intake]], *, actor: User) -> list[Receipt]:
    """Take in each case for its tenant; the receipts stand in the order of ``sent``.

    Raises ``ExternalIdTaken`` with the positions in ``sent`` of all that clash, in whichever tenant, or ``Denied``.
    """
    positions: dict[Tenant, list[int]] = defaultdict(list)
    for position, (tenant, _) in enumerate(sent):
        positions[tenant].append(position)
    receipts: dict[int, Receipt] = {}
    clashes: list[int] = []
    for tenant in sorted(positions, key=lambda tenant: tenant.pk):  # Two bulks never wait for each other crosswise.
        places = positions[tenant]
        try:
            taken = submit_all([sent[place][1] for place in places], actor=actor, tenant=tenant)
        except ExternalIdTaken as error:
            clashes += (places[position] for position in error.positions)
        else:
            receipts.update(zip(places, taken, strict=True))
    if clashes:
        raise ExternalIdTaken(sorted(clashes))
    return [receipts[position] for position in range(len(sent))]
