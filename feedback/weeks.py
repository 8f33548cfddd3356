"""ISO weeks on a tenant's own clock. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# After a week's end its last decisions pass their undo window (ten minutes at most) and their transactions commit.
SETTLING = timedelta(hours=1)


@dataclass(frozen=True, order=True)
class Week:
    """An ISO 8601 week: from Monday 00:00 to the next, on the clock of the zone that is asked about."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> "Week":
        """The week that ``instant`` (aware) belongs to in ``zone``."""
        year, number, _ = instant.astimezone(zone).isocalendar()
        return cls(year, number)

    @classmethod
    def parse(cls, text: str) -> "Week":
        """``2026-W07``; raises ``ValueError`` for anything else, a week that its year does not have included."""
        year, mark, number = text.partition("-W")
        if not (
            mark and len(year) == 4 and len(number) == 2 and (year + number).isascii() and (year + number).isdigit()
        ):
            raise ValueError("A week is written 2026-W07.")
        week = cls(int(year), int(number))
        week.monday()
        return week

    def monday(self) -> date:
        return date.fromisocalendar(self.year, self.number, 1)

    def next(self) -> "Week":
        year, number, _ = (self.monday() + timedelta(days=7)).isocalendar()
        return Week(year, number)

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """The instant of its Monday 00:00 in ``zone``, in UTC.

        A midnight that a clock change repeats is the first of the two; one that it skips is the instant of the change.
        """
        return datetime.combine(self.monday(), time(), zone).astimezone(UTC)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """The instant at which the next one starts: 167, 168 or 169 hours later."""
        return self.next().starts_at(zone)

    def is_due(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether the week is over and settled at ``now``."""
        return now >= self.ends_at(zone) + SETTLING
