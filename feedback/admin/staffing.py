"""The page of staffing: the work of the coming days against the people who will be there, by skill and hour."""

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from ..metrics.reading import zone_of
from ..services.expected_load import DAYS, GroupLoad, Load, expected_load
from ..services.staffing_change import StaffingChange
from ..staffing.balance import BUSY, DayLoad, HourLoad
from ..staffing.forecast import Season
from .tenant_choice import chosen_tenant

SHADES = 5


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The coming days of one tenant, for those who may see its metrics. No person is named."""
    tenant, form = chosen_tenant(request)
    load = expected_load(tenant)
    chosen = load.group(request.GET.get("skill", ""))
    context = {
        **admin.site.each_context(request),
        "title": "Staffing",
        "form": form,
        "tenant": tenant,
        "load": load,
        "days": DAYS,
        "busy": round(BUSY * 100),
        "read": read_words(load),
        "rows": [_summary(group) for group in (load.total, *load.groups)],
        "chosen": chosen,
        "by_day": [_day(day) for day in chosen.days],
        "grid": _grid(chosen, ZoneInfo(load.zone)),
        "hours": [_hour(hour) for hour in chosen.hours],
        "hour_names": range(24),
        "complete_until": zone_of(tenant)[1],
    }
    return TemplateResponse(request, "admin/feedback/staffing.html", context)


def read_words(load: Load) -> str:
    """What the forecast stands on."""
    if not load.seasons:
        return "Nothing has come in yet, so nothing can be forecast."
    match load.season:
        case Season.WEEK:
            return f"Each hour is forecast from the same hour of the last {load.seasons} weeks."
        case Season.DAY:
            return (
                f"Each hour is forecast from the same hour of the last {load.seasons} days: "
                "weekdays are told apart from two whole weeks on."
            )
    return "There are not two whole days to read yet: every hour is forecast alike."


def _summary(group: GroupLoad) -> dict[str, Any]:
    most = group.most_left
    return {
        "key": group.key,
        "name": group.name,
        "queues": ", ".join(group.queues),
        "people": group.people,
        "waiting": group.waiting,
        "cases": f"{group.cases:,.0f}",
        "minutes": "unknown" if group.seconds_per_case is None else f"{group.seconds_per_case / 60:.1f} min",
        "work": hours_words(group.work),
        "there": hours_words(group.there),
        "short_hours": group.short_hours,
        "left": hours_words(most.left if most else None),
        "left_at": most.at if most and most.left else None,
    }


def _day(day: DayLoad) -> dict[str, Any]:
    return {
        "at": day.at,
        "cases": f"{day.cases.mean:,.0f}",
        "interval": f"{day.cases.low:,} to {day.cases.high:,}",
        "work": hours_words(day.work),
        "there": hours_words(day.there),
        "short_hours": day.short_hours,
        "left": hours_words(day.left),
    }


def _hour(hour: HourLoad) -> dict[str, Any]:
    return {
        "at": hour.at,
        "cases": f"{hour.cases.mean:.1f}",
        "interval": f"{hour.cases.low:,} to {hour.cases.high:,}",
        "work": hours_words(hour.work),
        "most_work": hours_words(hour.most_work),
        "needed": "unknown" if hour.needed is None else hour.needed,
        "people": people_words(hour.people),
        "is_short": hour.is_short,
        "left": hours_words(hour.left),
    }


def _grid(group: GroupLoad, zone: ZoneInfo) -> list[tuple[Any, list[dict[str, Any] | None]]]:
    """A row for each day, of 24 cells; None for an hour that is over, or that the day does not have."""
    rows: dict[Any, list[dict[str, Any] | None]] = {}
    most = max((hour.work or 0.0 for hour in group.hours), default=0.0)
    for hour in group.hours:
        local = hour.at.astimezone(zone)
        row = rows.setdefault(local.date(), [None] * 24)
        row[local.hour] = {
            "needed": "?" if hour.needed is None else hour.needed,
            "people": people_words(hour.people),
            "is_short": hour.is_short,
            "shade": round(SHADES * (hour.work or 0.0) / most) if most else 0,
        }
    return list(rows.items())


def staffing_rows(change: StaffingChange | None) -> list[dict[str, Any]]:
    """Both states of each group that changes, the whole tenant first; nothing where nobody knows what would come."""
    if change is None:
        return []
    return [
        {
            "name": now.name,
            "cases": (f"{now.cases:,.0f}", f"{then.cases:,.0f}"),
            "work": (hours_words(now.work), hours_words(then.work)),
            "there": hours_words(now.there),
            "short": (now.short_hours, then.short_hours),
            "left": tuple(hours_words(one.most_left.left if one.most_left else None) for one in (now, then)),
        }
        for now, then in change.groups
    ]


def hours_words(hours: float | None) -> str:
    return "unknown" if hours is None else f"{hours:,.1f} h"


def people_words(people: float) -> str:
    return f"{people:.1f}".removesuffix(".0")
