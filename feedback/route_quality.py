"""How good a release has been in a domain, as one number for triage (``route_quality``). Pure.

    quality = (PRIOR_RIGHT + n (1 - e)) / (PRIOR_RIGHT + PRIOR_WRONG + n)

``e`` is the share of drafts that people did not accept as they were, over all that the release drafted in the domain:
what went to people counts once, and a sampled automatic approval as often as its chance of being drawn says, so that a
release is not judged by its hard cases alone. ``n`` is how many equally weighted reviews would know as much (Kish).

It is the mean of a Beta distribution that begins as Beta(18, 2): where nobody has looked yet the quality is 0.9, and
that is worth twenty reviews. So a new release neither fails the default condition (below 0.8) for want of evidence nor
hides behind it: ten drafts in a row that people do not accept bring it to 0.6. Where a tenant samples no automatic
approvals, only what people were sent is known, and the quality is that of the hard cases.
"""

from datetime import timedelta

from .advisor.intervals import Sums

PRIOR_RIGHT, PRIOR_WRONG = 18.0, 2.0
PRIOR = PRIOR_RIGHT / (PRIOR_RIGHT + PRIOR_WRONG)
WINDOW = timedelta(days=90)  # Reviews that are older say nothing any more.


def quality(seen: Sums) -> float:
    """In (0, 1); ``PRIOR`` where nobody has looked."""
    n, share = seen.kish, seen.share
    return (PRIOR_RIGHT + n * (1 - (share or 0.0))) / (PRIOR_RIGHT + PRIOR_WRONG + n)
