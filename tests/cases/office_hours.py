"""Calendars that the tests of business time share, and how their tables are written."""

from datetime import date, datetime, time, timedelta

from cases.calendars import Calendar


def week(*spans: str, days: range | tuple[int, ...] = range(5)) -> dict[int, tuple[tuple[time, time], ...]]:
    """``week("09:00-12:00", "13:00-24:00")``: the same spans on each of the days, Monday to Friday."""
    return {day: tuple((clock(span[:5]), clock(span[6:])) for span in spans) for day in days}


def clock(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def at(text: str) -> datetime:
    """An instant as ISO 8601 with its offset: local times stand in the tables as people read them."""
    return datetime.fromisoformat(text)


H = timedelta(hours=1)
M = timedelta(minutes=1)
EVERY_DAY = range(7)

LONDON = Calendar("Europe/London", week("09:00-17:00"), "GB", "ENG")
LONDON_PLAIN = Calendar("Europe/London", week("09:00-17:00"))
LONDON_NIGHT = Calendar("Europe/London", week("00:00-04:00", days=EVERY_DAY))
LONDON_LUNCH = Calendar("Europe/London", week("09:00-12:00", "13:00-17:00"))
LONDON_ALL_DAY = Calendar("Europe/London", week("00:00-24:00", days=EVERY_DAY))
NEW_YORK = Calendar("America/New_York", week("09:00-17:00"), "US")
NEW_YORK_2_TO_3 = Calendar("America/New_York", week("02:00-03:00", days=EVERY_DAY))
NEW_YORK_FROM_230 = Calendar("America/New_York", week("02:30-05:00", days=EVERY_DAY))
NEW_YORK_TO_130 = Calendar("America/New_York", week("00:00-01:30", days=EVERY_DAY))
NEW_YORK_FROM_130 = Calendar("America/New_York", week("01:30-04:00", days=EVERY_DAY))
KOLKATA = Calendar("Asia/Kolkata", week("09:30-18:00", days=range(6)))
KATHMANDU = Calendar("Asia/Kathmandu", week("10:00-17:00"))
LORD_HOWE_NIGHT = Calendar("Australia/Lord_Howe", week("00:00-06:00", days=EVERY_DAY))
SANTIAGO = Calendar("America/Santiago", week("00:00-02:00", days=EVERY_DAY))
APIA = Calendar("Pacific/Apia", week("09:00-17:00", days=EVERY_DAY))
EVENINGS = Calendar("Europe/Berlin", week("22:00-24:00", days=EVERY_DAY))
UNEVEN = Calendar(
    "Europe/London",
    week("09:00-18:00", days=(0,)) | week("10:00-12:00", days=(1,)) | week("08:00-12:00", "13:00-20:00", days=(2,)),
)
OWN_DAYS = Calendar(
    "Europe/London", week("09:00-17:00"), "GB", "ENG", closed={date(2026, 11, 23)}, open_anyway={date(2026, 12, 25)}
)
WEDNESDAY = at("2026-11-18T15:00+00:00")
