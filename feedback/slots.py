"""Slots: the places in a gold case where names, ids, amounts and dates stand, filled anew for each case. Pure.

A text holds ``[[name1]]``; the definitions say what that is:

    name1    name                       a person; also ``[[name1.first]]`` and ``[[name1.last]]``
    email1   email [name1]              an address, made of that name
    phone1   phone +1 ### ### ####      digits for each #
    id1      id ord_#####               # a digit, ~ a hexadecimal letter or digit, ^ a capital letter
    amount1  amount 249.90              within two percent, written alike
    date1    date -40 %d %B %Y          so many days before the case comes in, written so

A message's instant is ``[[at:-3600]]``: so many seconds before. The same seed fills all slots of a case alike.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SLOT = re.compile(r"\[\[([a-z]+[0-9]+)(?:\.(first|last))?\]\]")
INSTANT = re.compile(r"\[\[at:(-?[0-9]{1,9})\]\]")
KINDS = ("name", "email", "phone", "id", "amount", "date")
VARIED = 0.02  # of an amount

_FIRST_NAMES = """
Aisha Albert Alicia Amir Andrea Anton Beatriz Bruno Carla Cedric Dalia Daniel Elena Elias Emma Felix Fiona Grace
Hannah Hugo Ida Ivan Jana Jonah Julia Karim Klara Lara Leon Lina Lucas Maja Marco Marta Milan Nadia Nils Nora
Omar Oscar Paula Peter Priya Rafael Rosa Samir Sara Simon Sofia Stefan Tara Theo Tomas Vera Victor Wanda Yusuf
Zoe
"""
FIRST_NAMES = tuple(_FIRST_NAMES.split())
_LAST_NAMES = """
Abbott Almeida Andersen Bakker Barros Becker Bianchi Brandt Calder Castillo Chandra Clarke Costa Davies Delgado
Dubois Eriksen Farouk Ferrari Fischer Garcia Gomes Hansen Hoffman Iqbal Ivanov Jansen Kaplan Keller Kowalski
Lang Larsen Leclerc Lindholm Marin Mendes Meyer Moreau Mueller Nowak Olsen Ortega Parker Petrov Quinn Ramos Reed
Rossi Santos Schmidt Silva Sousa Tanaka Torres Usman Varga Vogel Walsh Weiss Yilmaz Young Zhang
"""
LAST_NAMES = tuple(_LAST_NAMES.split())
MAIL_HOSTS = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.net")


class SlotInvalid(ValueError):
    """Words for the person who wrote it."""


def check_slots(body: Any, slots: Mapping[str, str]) -> None:
    """Raise ``SlotInvalid`` for a definition that means nothing, or a slot in ``body`` that has none."""
    for name, definition in slots.items():
        if not re.fullmatch(r"[a-z]+[0-9]+", name):
            raise SlotInvalid(f"“{name}” is no slot's name: write letters and a number, such as name1.")
        _check_definition(name, definition, slots)
    if missing := sorted({name for name, _ in SLOT.findall(_flat(body))} - set(slots)):
        raise SlotInvalid(f"[[{missing[0]}]] is used and not defined.")


def _check_definition(name: str, definition: str, slots: Mapping[str, str]) -> None:
    kind, _, like = definition.partition(" ")
    if kind not in KINDS:
        raise SlotInvalid(f"{name}: “{kind}” is none of {', '.join(KINDS)}.")
    if kind in ("phone", "id", "amount", "date") and not like.strip():
        raise SlotInvalid(f"{name}: say what it looks like, after “{kind}”.")
    if kind == "amount" and not re.fullmatch(r"[0-9][0-9.,' ]*", like):
        raise SlotInvalid(f"{name}: “{like}” is no amount.")
    if kind == "date" and not re.fullmatch(r"-?[0-9]{1,5} .*%.*", like):
        raise SlotInvalid(f"{name}: a date is a number of days and a format, such as “-40 %d %B %Y”.")
    if kind == "email" and like and not slots.get(like, "").startswith("name"):
        raise SlotInvalid(f"{name}: “{like}” is no name of a person.")


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(map(_flat, value.values()))
    return " ".join(map(_flat, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class Names:
    """Where first and last names are drawn from, each by itself."""

    first: Sequence[str] = FIRST_NAMES
    last: Sequence[str] = LAST_NAMES


def fill(value: Any, slots: Mapping[str, str], *, seed: int, now: datetime, names: Names = Names()) -> Any:
    """``value`` with every slot filled, deep. Two calls with one seed and instant fill alike."""
    made: dict[str, Any] = {}
    for name in sorted(slots, key=lambda name: (slots[name].startswith("email"), name)):  # Addresses stand on names.
        dice = random.Random(f"{seed}:{name}")
        for _ in range(5):  # Two people of one case are two people.
            made[name] = _make(slots[name], dice, made, now, names)
            if list(made.values()).count(made[name]) == 1:
                break

    def text(part: str) -> str:
        part = SLOT.sub(lambda found: _said(made.get(found[1], found[0]), found[2]), part)
        return INSTANT.sub(lambda found: _instant(now, int(found[1]), seed), part)

    def deep(part: Any) -> Any:
        if isinstance(part, str):
            return text(part)
        if isinstance(part, Mapping):
            return {key: deep(inner) for key, inner in part.items()}
        return [deep(inner) for inner in part] if isinstance(part, list | tuple) else part

    return deep(value)


def _said(value: Any, part: str | None) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return {"first": value[0], "last": value[1]}.get(part or "", " ".join(value))


def _instant(now: datetime, seconds: int, seed: int) -> str:
    jitter = random.Random(f"{seed}:{seconds}").uniform(0.9, 1.1)
    return (now + timedelta(seconds=round(seconds * jitter))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _make(definition: str, dice: random.Random, made: Mapping[str, Any], now: datetime, names: Names) -> Any:
    kind, _, like = definition.partition(" ")
    match kind:
        case "name":
            return dice.choice(names.first), dice.choice(names.last)
        case "email":
            first, last = made.get(like) or (dice.choice(names.first), dice.choice(names.last))
            local = dice.choice((f"{first}.{last}", f"{first[0]}{last}", f"{first}{dice.randrange(10, 99)}"))
            return f"{local.lower()}@{dice.choice(MAIL_HOSTS)}"
        case "amount":
            return amount_like(like, dice)
        case "date":
            days, _, shape = like.partition(" ")
            return (now + timedelta(days=int(days))).strftime(shape)
    return shaped(like, dice)


def shaped(like: str, dice: random.Random) -> str:
    """A word of this shape; its first digit is never 0 where others follow."""
    letters = []
    for place, mark in enumerate(like):
        if mark == "#":
            is_first = place + 1 < len(like) and like[place + 1] == "#" and (place == 0 or like[place - 1] != "#")
            letters.append(str(dice.randrange(1 if is_first else 0, 10)))
        else:
            letters.append({"~": dice.choice("0123456789abcdef"), "^": dice.choice("ABCDEFGHKLMNPRSTUVWXYZ")}.get(mark))
    return "".join(made or mark for made, mark in zip(letters, like, strict=True))


def amount_like(like: str, dice: random.Random) -> str:
    """A number within ``VARIED`` of this one, with as many decimals and the same marks between its digits."""
    digits = [character for character in like if character.isdigit()]
    value = int("".join(digits))
    varied = str(max(1, round(value * dice.uniform(1 - VARIED, 1 + VARIED)))).zfill(len(digits))
    if len(varied) != len(digits) or (varied[0] == "0" != digits[0]):
        return like  # One digit more or less: a zero in front would be seen.
    fresh = iter(varied)
    return "".join(next(fresh) if character.isdigit() else character for character in like)
