"""Every section of an evidence pack, in the order in which it is read. A further one is a further line."""

from .governing import AUTHORITY, POLICIES
from .proving import CASES, RECORDS, SEALS
from .tables import Section
from .watching import CHALLENGES, INCIDENTS, SWITCH
from .working import ACTIONS, DEADLINES, OVERRIDES, VOLUMES

SECTIONS: tuple[Section, ...] = (
    POLICIES,
    AUTHORITY,
    VOLUMES,
    DEADLINES,
    OVERRIDES,
    ACTIONS,
    CHALLENGES,
    SWITCH,
    INCIDENTS,
    CASES,
    RECORDS,
    SEALS,
)
BY_KEY = {section.key: section for section in SECTIONS}
