"""Breakers at work: each reads on from its mark, alarms, and stops automation where its tenant wants that.

One batch is one transaction under the lock of the breaker's mark: what was read, what it did to the tests, the alarms
and the stop commit together or not at all. So nothing counts twice or is left out, whatever dies in between; two
workers pass each other by, and what a dead beat left is read by the next one in the same order.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min, QuerySet
from django.urls import reverse

from ..breaker import Side, from_json, interval, rate_interval, share_sides, to_json, volume_sides
from ..clock import db_now
from ..errors import IllegalState
from ..models import (
    AutomationSwitch,
    BreakerAlarm,
    BreakerMark,
    BreakerReset,
    BreakerRule,
    BreakerState,
    Membership,
    User,
)
from ..models.people import system_actor
from ..permissions import require
from . import breaker_facts, switch
from .notices import News, tell

log = structlog.get_logger(__name__)

BATCH = 500  # events in one transaction
SLOTS = 100
SEEDED = 5_000  # events that a new breaker learns from at most
MOST_SERIES = 500  # of one breaker; beyond, the one that was quiet for longest is forgotten
TOLD = 20  # people
BEHIND = timedelta(minutes=5)
KIND = "breaker.alarm"
Phase = BreakerState.Phase
Key = tuple[str, str, UUID | None]


class AlarmIsReset(IllegalState):
    code = "breaker_alarm_reset"
    title = "Somebody has looked at this alarm already"


# --- configuring -----------------------------------------------------------------------------------------------------


@transaction.atomic
def save_rule(rule: BreakerRule, *, actor: User, reason: str) -> BreakerRule:
    """Save a breaker. Where that changes its test, it begins anew: it learns from the latest cases and watches on.

    Raises ``Denied``.
    """
    require(actor, "change_policy", rule.tenant)
    BreakerMark.objects.select_for_update().filter(pk=rule.pk).first()  # Nobody advances it meanwhile.
    before = BreakerRule.objects.filter(pk=rule.pk).values(*BreakerRule.OF_THE_TEST).first()
    rule.save_as(actor, reason)
    if before != {name: getattr(rule, name) for name in BreakerRule.OF_THE_TEST}:
        _begin(rule)
    return rule


def _begin(rule: BreakerRule) -> None:
    now = db_now()
    rule.states.all().delete()
    mark, _ = BreakerMark.objects.update_or_create(
        rule=rule,
        defaults={
            "xid": breaker_facts.horizon(),
            "event_id": UUID(int=0),
            "at": _slot_start(rule, now),
            "checked_at": now,
        },
    )
    if rule.is_active and rule.baseline is None:
        series = _Series(rule, mark)
        (_seed_slots if rule.is_volume else _seed)(series, now)
        series.save()


def _seed(series: "_Series", now: datetime) -> None:
    """Learn from the latest cases of each series; those that are too few go on learning."""
    mark, wanted = series.mark, series.rule.baseline_cases
    for seen in breaker_facts.events_before(series.rule, mark.xid, mark.event_id, now=now, limit=SEEDED):
        if seen.is_trial and seen.is_ripe:
            state = series.state(series.key(seen.domain, seen.decision, seen.release_id), seen.at)
            if state and state.learned_n < wanted:
                state.learned_n, state.learned_hits = state.learned_n + 1, state.learned_hits + seen.is_hit
    for state in series.states.values():
        series.settle(state, now)
    for state in series.states.values():
        if state.phase == Phase.LEARNING:
            series.inherit(state, now)


def _seed_slots(series: "_Series", now: datetime) -> None:
    rule, wanted = series.rule, series.rule.baseline_cases
    start = series.mark.at - wanted * timedelta(minutes=rule.slot_minutes)
    for key, counts in series.counted(start, wanted).items():
        first = next(number for number, count in enumerate(counts) if count)  # Before it, there was no such series.
        if state := series.state(key, now):
            state.counts = counts[first:]
            series.settle(state, now)


def _slot_start(rule: BreakerRule, now: datetime) -> datetime:
    """The beginning, in UTC, of the slot that ``now`` lies in."""
    minutes = (now.hour * 60 + now.minute) // rule.slot_minutes * rule.slot_minutes
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=minutes)


# --- advancing -------------------------------------------------------------------------------------------------------


def sweep(*, seconds: float) -> int:
    """Advance every breaker until it has read everything or the time is over; returns how many steps were taken."""
    until, total = time.monotonic() + seconds, 0
    due = BreakerMark.objects.filter(rule__is_active=True, rule__tenant__is_active=True).order_by("checked_at")
    for rule_id in list(due.values_list("pk", flat=True)[:1000]):
        while time.monotonic() < until:
            done = advance(rule_id)
            total += done or 0
            if not done:
                break
    return total


@transaction.atomic
def advance(rule_id: UUID) -> int | None:
    """One batch; returns how many events or slots were read, or None where another worker is at it."""
    mark = BreakerMark.objects.select_for_update(skip_locked=True).filter(pk=rule_id).first()
    if mark is None:
        return None
    rule = BreakerRule.objects.select_related("tenant").get(pk=rule_id)  # Only now: nobody changes it under the lock.
    now = db_now()
    series = _Series(rule, mark)
    read = 0
    if rule.is_active:
        read = (_read_slots if rule.is_volume else _read_events)(series, now)
    mark.checked_at = now
    mark.save()
    series.save()
    for alarm, sentence in series.alarms:
        _raise(rule, alarm, sentence)
    return read


def _read_events(series: "_Series", now: datetime) -> int:
    mark, below = series.mark, breaker_facts.horizon()
    if mark.xid > below:  # Transaction ids do not survive a dump and a restore.
        log.warning("breaker_mark_ahead", breaker=str(series.rule.pk))
        mark.xid, mark.event_id = below, UUID(int=0)
    seen = breaker_facts.events_after(series.rule, mark.xid, mark.event_id, below=below, now=now, limit=BATCH)
    for one in seen:
        if one.is_trial:
            series.take(series.key(one.domain, one.decision, one.release_id), one.is_hit, one.at)
        mark.xid, mark.event_id = one.xid, one.event_id
    return len(seen)


def _read_slots(series: "_Series", now: datetime) -> int:
    mark, length = series.mark, timedelta(minutes=series.rule.slot_minutes)
    count = min(SLOTS, max(0, (now - breaker_facts.LATE - mark.at) // length))
    if not count:
        return 0
    counted = series.counted(mark.at, count)
    for number in range(count):
        for key in {*series.states, *(key for key, counts in counted.items() if any(counts[: number + 1]))}:
            cases = counted[key][number] if key in counted else 0
            series.take(key, cases, mark.at + number * length)
    mark.at += count * length
    return count


class _Series:
    """The series of one breaker while its mark is held: read once, changed in memory, stored at the end."""

    def __init__(self, rule: BreakerRule, mark: BreakerMark) -> None:
        self.rule, self.mark = rule, mark
        rows = rule.states.select_related("release") if not rule._state.adding else []
        self.states: dict[Key, BreakerState] = {(one.domain, one.decision, one.release_id): one for one in rows}
        self.alarms: list[tuple[BreakerAlarm, str]] = []
        self._changed: dict[Key, BreakerState] = {}
        self._sides: dict[Key, list[Side]] = {}

    def key(self, domain: str, decision: str, release_id: UUID) -> Key:
        rule = self.rule
        return (
            domain if rule.by_domain else "",
            decision if rule.by_decision else "",
            release_id if rule.by_release else None,
        )

    def counted(self, start: datetime, count: int) -> dict[Key, list[int]]:
        """Per series the cases in each slot."""
        found: dict[Key, list[int]] = {}
        for number, domain, decision, release_id, cases in breaker_facts.slots(self.rule, start, count):
            found.setdefault(self.key(domain, decision, release_id), [0] * count)[number] += cases
        return found

    def state(self, key: Key, at: datetime) -> BreakerState | None:
        """The state of ``key``, made if need be; None where all that are kept wait for people."""
        if key not in self.states:
            if len(self.states) >= MOST_SERIES and not self._forget_one():
                return None
            domain, decision, release_id = key
            state = BreakerState(rule=self.rule, domain=domain, decision=decision, release_id=release_id, seen_at=at)
            self.states[key] = state
            self.inherit(state, at)
        self._changed[key] = self.states[key]
        return self.states[key]

    def _forget_one(self) -> bool:
        quiet = [key for key, state in self.states.items() if state.phase != Phase.ALARMED]
        if not quiet:
            return False
        key = min(quiet, key=lambda key: self.states[key].seen_at)
        state = self.states.pop(key)
        self._changed.pop(key, None)
        self._sides.pop(key, None)
        if state.pk:
            state.delete()
        return True

    def inherit(self, state: BreakerState, at: datetime) -> None:
        """A new release is measured by what was usual before it: else a bad one would become its own baseline."""
        known = [
            one
            for one in self.states.values()
            if one.based_at and (one.domain, one.decision) == (state.domain, state.decision)
        ]
        if self.rule.baseline is not None:
            self.settle(state, at)
        elif known and self.rule.by_release and not self.rule.is_volume:
            last = max(known, key=lambda one: (one.based_at, one.seen_at))
            state.learned_n, state.learned_hits = last.learned_n, last.learned_hits
            self.settle(state, at)

    def settle(self, state: BreakerState, at: datetime) -> None:
        """Begin to watch, where enough is known of what is usual."""
        rule = self.rule
        state.counts = state.counts[-rule.baseline_cases :]
        if rule.is_volume and rule.baseline is None:
            state.learned_n, state.learned_hits = len(state.counts), sum(state.counts)
        if rule.baseline is None and state.learned_n < rule.baseline_cases:
            return
        state.phase, state.based_at, state.n, state.hits = Phase.WATCHING, at, 0, 0
        self._sides[(state.domain, state.decision, state.release_id)] = sides_of(rule, state)

    def take(self, key: Key, hits: int, at: datetime) -> None:
        """One observation: a hit or none, or the cases of one slot."""
        state = self.state(key, at)
        if state is None:
            return
        state.seen_at = max(state.seen_at, at)
        if state.phase == Phase.LEARNING:
            if self.rule.is_volume:
                state.counts = [*state.counts, hits]
            else:
                state.learned_n, state.learned_hits = state.learned_n + 1, state.learned_hits + hits
            self.settle(state, at)
            return
        state.n, state.hits = state.n + 1, state.hits + hits
        if state.phase == Phase.WATCHING:
            sides = self._sides.setdefault(key, from_json(state.sides))
            for side in [side for side in sides if side.see(hits, at.isoformat())]:
                self.alarms.append(self._alarm(state, side, at))
                state.phase = Phase.ALARMED

    def _alarm(self, state: BreakerState, side: Side, at: datetime) -> tuple[BreakerAlarm, str]:
        rule = self.rule
        low, high = rate_interval(side.hits, side.n) if rule.is_volume else interval(side.hits, side.n)
        alarm = BreakerAlarm(
            tenant=rule.tenant,
            rule=rule,
            name=rule.name,
            watches=rule.watches,
            domain=state.domain,
            decision=state.decision,
            release_id=state.release_id,
            direction=side.direction,
            since=datetime.fromisoformat(side.since),
            at=at,
            n=side.n,
            hits=side.hits,
            baseline=state.baseline or 0.0,
            low=low,
            high=high,
            statistic=side.value,
            limit=side.limit,
            trips=False,
        )
        where = f" in {state.domain}" if state.domain else ""
        return alarm, f"{rule.name}{where}: {alarm.sentence}"

    def save(self) -> None:
        for key, sides in self._sides.items():
            if key in self._changed:
                self._changed[key].sides = to_json(sides)
        changed = list(self._changed.values())
        BreakerState.objects.bulk_create([state for state in changed if state._state.adding])
        stored = [state for state in changed if state.pk and not state._state.adding]
        fields = ("phase", "learned_n", "learned_hits", "counts", "based_at", "n", "hits", "sides", "seen_at")
        BreakerState.objects.bulk_update(stored, fields, batch_size=200)


def sides_of(rule: BreakerRule, state: BreakerState) -> list[Side]:
    """The tests of a series against its baseline, learned or fixed."""
    wanted = {"shift": rule.shift, "every": rule.false_alarm_every}
    if rule.is_volume:
        return volume_sides(rule.directions, counts=state.counts, mean=rule.baseline, **wanted)
    return share_sides(rule.directions, hits=state.learned_hits, n=state.learned_n, share=rule.baseline, **wanted)


def _raise(rule: BreakerRule, alarm: BreakerAlarm, sentence: str) -> None:
    """Stop automation where the tenant wants it, keep the alarm and tell people, all in the batch's transaction."""
    scope = switch.Scope(rule.tenant, alarm.domain or rule.domain)
    is_stopped = AutomationSwitch.objects.filter(**scope.columns(), is_enabled=False).exists()
    alarm.trips = rule.action == BreakerRule.Action.TRIP and not is_stopped  # A person's stop keeps its own reason.
    alarm.save(force_insert=True)
    if alarm.trips:
        switch.stop(scope, actor=system_actor(), reason=f"Breaker {sentence}")
    tell(
        [
            News(
                tenant_id=rule.tenant_id,
                kind=KIND,
                text=f"{'Automation was stopped. ' if alarm.trips else ''}Breaker {sentence}",
                key=f"{KIND}:{alarm.pk}",
                to=_heard_by(rule),
                path=reverse("admin:cases_breakeralarm_change", args=[alarm.pk]),
            )
        ]
    )


def _heard_by(rule: BreakerRule) -> list[UUID]:
    members = Membership.objects.filter(
        tenant=rule.tenant, is_active=True, user__is_active=True, roles__overlap=rule.tells
    )
    return list(members.order_by("user").values_list("user", flat=True)[:TOLD])


# --- after an alarm --------------------------------------------------------------------------------------------------


@transaction.atomic
def reset(alarm_id: int, *, actor: User, reason: str, learns_anew: bool = False) -> BreakerReset:
    """Somebody has looked at the alarm: its series is watched again, by the same baseline or by one that it learns.

    What the alarm stopped stays stopped: that is the switch's own way back. Raises ``Denied``, ``ReasonMissing`` and
    ``AlarmIsReset``.
    """
    alarm = BreakerAlarm.objects.select_related("tenant", "rule").get(pk=alarm_id)
    require(actor, "resume_automation", alarm.tenant)
    if not reason.strip():
        raise switch.ReasonMissing("Say what you found: it stands beside the alarm. Nothing was changed.")
    BreakerMark.objects.select_for_update().get(pk=alarm.rule_id)
    if BreakerReset.objects.filter(alarm=alarm).exists():
        raise AlarmIsReset("Somebody else has reset this breaker. Nothing was changed.")
    now = db_now()
    done = BreakerReset.objects.create(
        alarm=alarm, by=actor, at=now, reason=reason.strip()[:200], learns_anew=learns_anew
    )
    state = alarm.rule.states.filter(
        domain=alarm.domain, decision=alarm.decision, release=alarm.release_id, phase=Phase.ALARMED
    ).first()
    if state:  # Without one the breaker was changed meanwhile and began anew.
        _watch_again(alarm.rule, state, learns_anew=learns_anew)
    return done


def _watch_again(rule: BreakerRule, state: BreakerState, *, learns_anew: bool) -> None:
    state.n = state.hits = 0
    if learns_anew and rule.baseline is None:
        state.phase, state.based_at, state.sides = Phase.LEARNING, None, []
        state.learned_n, state.learned_hits, state.counts = 0, 0, []
    else:
        state.phase, state.sides = Phase.WATCHING, to_json(sides_of(rule, state))
    state.save()


def open_alarms(alarms: QuerySet[BreakerAlarm] | None = None) -> QuerySet[BreakerAlarm]:
    """The alarms that nobody has reset, newest first."""
    alarms = BreakerAlarm.objects.all() if alarms is None else alarms
    return alarms.filter(reset=None).select_related("release", "tenant").order_by("-id")


def is_behind(now: datetime) -> bool:
    """Whether somebody's breaker has not been advanced for so long that the beat or the worker must be down."""
    active = BreakerMark.objects.filter(rule__is_active=True, rule__tenant__is_active=True)
    oldest = active.aggregate(at=Min("checked_at"))["at"]
    return oldest is not None and oldest + BEHIND < now


def series_of(rule: BreakerRule, most: int) -> Iterable[BreakerState]:
    """The latest series of a breaker, those that wait for people first."""
    return rule.states.select_related("release", "rule").order_by("phase", "-seen_at")[:most]
