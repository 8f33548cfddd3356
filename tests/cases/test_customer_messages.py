"""What a customer is told meanwhile: in their language, with a time that holds, on the tenant's clock."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from cases.customer_messages import (
    _DATES,
    CATALOGUE,
    best_match,
    customer_message,
    locale_for,
    promised_by,
)
from cases.models import Content, InterimTemplate, Promise
from cases.models.people import system_actor
from cases.services.meanwhile import last_message, told_meanwhile
from tests.callers import Caller
from tests.worlds import SURE, make_world


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = at("2027-05-10T12:00")  # a Monday


@pytest.mark.parametrize(
    ("locale", "by", "zone", "expected"),
    [
        ("en", "2027-05-10T16:30", "UTC", "by 16:30 today (UTC)."),
        ("en-GB", "2027-05-10T16:30", "Europe/London", "by 17:30 today (BST)."),
        ("en-US", "2027-05-10T16:30", "America/New_York", "by 12:30 PM today (EDT)."),
        ("en-US", "2027-05-11T04:05", "America/New_York", "by 12:05 AM tomorrow (EDT)."),
        ("en", "2027-05-10T23:30", "Europe/Berlin", "by 01:30 tomorrow (CEST)."),
        ("en", "2027-05-11T01:00", "America/Sao_Paulo", "by 22:00 today (UTC-03:00)."),
        ("en", "2027-05-12T09:00", "UTC", "by 09:00 on Wednesday 12 May 2027 (UTC)."),
        ("en", "2028-01-01T09:00", "UTC", "by 09:00 on Saturday 1 January 2028 (UTC)."),
        ("de", "2027-05-10T14:30", "Europe/Berlin", "bis heute um 16:30 Uhr (CEST)."),
        ("de-AT", "2027-05-11T14:30", "Europe/Vienna", "bis morgen um 16:30 Uhr (CEST)."),
        ("de", "2027-03-15T08:00", "Europe/Berlin", "so bald wie möglich."),
        ("de", "2027-06-02T08:00", "Europe/Berlin", "bis Mittwoch, 2. Juni 2027 um 10:00 Uhr (CEST)."),
        ("es-MX", "2027-05-10T18:30", "America/Mexico_City", "antes de las 12:30 de hoy (CST)."),
        ("es", "2027-05-13T10:00", "Europe/Madrid", "antes de las 12:00 del jueves 13 de mayo de 2027 (CEST)."),
        ("fr", "2027-05-10T14:30", "Europe/Paris", "avant 16:30 aujourd’hui (CEST)."),
        ("fr-CA", "2027-05-13T14:30", "America/Toronto", "avant 10:30 le jeudi 13 mai 2027 (EDT)."),
        ("it", "2027-05-11T10:00", "Europe/Rome", "entro le 12:00 di domani (CEST)."),
        ("nl", "2027-05-10T14:30", "Europe/Amsterdam", "uiterlijk vandaag om 16:30 uur (CEST)."),
        ("pt-BR", "2027-05-10T18:00", "America/Sao_Paulo", "até às 15:00 de hoje (UTC-03:00)."),
        ("xx", "2027-05-10T16:30", "UTC", "by 16:30 today (UTC)."),
        ("en", "2027-05-10T12:00", "UTC", "as soon as possible."),
    ],
)
def test_the_sentence_by_locale_time_zone_and_day(locale, by, zone, expected):
    assert customer_message(locale, at(by), now=NOON, time_zone=zone).endswith(expected)


@pytest.mark.parametrize(
    ("now", "by", "word"),
    [
        ("2027-05-10T21:58", "2027-05-10T21:59", "today"),
        ("2027-05-10T21:59", "2027-05-10T22:00", "tomorrow"),  # Midnight in Berlin.
        ("2027-05-10T22:00", "2027-05-11T21:59", "today"),
        ("2027-10-30T23:30", "2027-10-31T22:59", "today"),  # The day of 25 hours.
        ("2027-03-27T22:30", "2027-03-28T21:59", "tomorrow"),  # The eve of the day of 23.
        ("2026-12-31T22:59", "2026-12-31T23:00", "tomorrow"),
    ],
)
def test_today_ends_at_midnight_on_the_tenants_clock(now, by, word):
    assert f" {word} (" in customer_message("en", at(by), now=at(now), time_zone="Europe/Berlin")


def test_the_hour_that_comes_twice_says_which():
    first, second = at("2027-10-31T00:30"), at("2027-10-31T01:30")
    said = [customer_message("de", by, now=at("2027-10-30T23:00"), time_zone="Europe/Berlin") for by in (first, second)]
    assert "02:30 Uhr (CEST)" in said[0] and "02:30 Uhr (CET)" in said[1]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)))
def test_a_promise_is_never_earlier_than_the_deadline_and_at_most_five_minutes_later(naive):
    deadline = naive.replace(tzinfo=UTC)
    promised = promised_by(deadline)
    assert deadline <= promised < deadline + timedelta(minutes=5)
    assert (promised.minute % 5, promised.second, promised.microsecond) == (0, 0, 0)


@pytest.mark.parametrize("language", CATALOGUE)
def test_every_language_is_whole(language):
    words = CATALOGUE[language]
    fields = {
        name: {field for _, field, _, _ in Formatter().parse(getattr(words, name)) if field}
        for name in ("sentence", "today", "tomorrow", "later", "soon")
    }
    assert fields == {
        "sentence": {"when"},
        "today": {"time", "zone"},
        "tomorrow": {"time", "zone"},
        "later": {"time", "day", "zone"},
        "soon": set(),
    }
    weekdays, months, _ = _DATES[language]
    assert (len(set(weekdays.split())), len(set(months.split()))) == (7, 12)
    assert set(_DATES) == set(CATALOGUE)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (["de-CH", "en"], "de-CH"),
        ([None, "und", "fr"], "fr"),
        (["tlh", "de_AT"], "de-AT"),
        (["tlh", None], "en"),
        (["<b>", "\u202e"], "en"),
    ],
)
def test_the_first_language_that_is_known_is_spoken(wishes, expected):
    assert locale_for(*wishes) == expected


TEMPLATES = [
    ("", "", "any"),
    ("", "de", "de"),
    ("billing", "", "billing any"),
    ("billing", "de", "billing de"),
    ("billing", "de-CH", "billing de-CH"),
    ("", "fr", "fr"),
]


@pytest.mark.parametrize(
    ("domain", "locales", "expected"),
    [
        ("billing", ["de-CH"], "billing de-CH"),
        ("billing", ["de-AT"], "billing de"),
        ("billing", ["DE_ch"], "billing de-CH"),
        ("shipping", ["de"], "de"),
        ("billing", ["fr"], "fr"),  # What the customer reads goes before the domain.
        ("billing", ["ja"], "billing any"),
        ("shipping", ["ja", "fr-CA"], "fr"),
        ("shipping", [None, "und", "ja"], "any"),
    ],
)
def test_the_template_that_fits_best(domain, locales, expected):
    assert best_match(TEMPLATES, domain=domain, locales=locales) == expected


def test_a_template_in_a_language_that_nobody_asked_for_is_not_sent():
    assert best_match([("billing", "de", "nur deutsch")], domain="billing", locales=["en"]) is None


# --- at intake --------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db
CALM = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db):
    world = make_world(rules=CALM, time_zone="Europe/Berlin")
    for domain, locale, text in TEMPLATES:
        InterimTemplate(tenant=world.tenant, domain=domain, locale=locale, text=text).save_as(system_actor(), "new")
    return world


def send(world, **fields) -> dict:
    body = {"domain": "billing", "user_question": "?", "model_draft": "Yes."} | fields
    answer = Caller(world.service, world.tenant).post("cases/", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_the_customers_own_language_goes_before_the_cases(world):
    receipt = send(world, language="fr", customer={"locale": "de-CH"})
    assert receipt["interim_answer"] == "billing de-CH"
    assert receipt["customer_message"].startswith("Eine Fachkraft prüft Ihr Anliegen")
    assert receipt["customer_message"].endswith(("(CET).", "(CEST)."))


def test_what_the_caller_says_itself_goes_before_any_template(world):
    assert send(world, limited_answer="We are on it.", language="de")["interim_answer"] == "We are on it."


def test_what_passes_by_itself_needs_no_interim_answer(world):
    receipt = send(world, signals=SURE)
    assert (receipt["state"], receipt["interim_answer"]) == ("auto_approved", None)
    assert not Promise.objects.exists()


def test_what_the_customer_was_told_stays_when_the_template_changes(world):
    case = world.submit(domain="billing", language="de")
    InterimTemplate.objects.update(text="new")
    said = last_message(case)
    assert told_meanwhile(case) == "billing de"
    assert said.startswith("Eine Fachkraft")
    body = Content.objects.get(pk=case.content_id).body
    assert body["interim_answer"] == "billing de"


def test_the_promise_covers_the_deadline_and_the_undo_window(world):
    case = world.submit()
    promise, entry = Promise.objects.get(), case.entries.get()
    assert entry.due_at + timedelta(seconds=world.tenant.undo_seconds) <= promise.by
    assert promise.by - entry.due_at < timedelta(minutes=6)


def test_no_template_of_another_tenant_is_sent(world):
    other = make_world("other")
    assert send(other)["interim_answer"] is None


def test_the_reviewer_sees_what_the_customer_was_told(world, client):
    case = world.submit(language="de")
    client.force_login(world.reviewer, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("admin:feedback_review_work", args=[case.pk])).content.decode()
    assert "What the customer was told" in page
    assert "billing de" in page and "Eine Fachkraft prüft Ihr Anliegen" in page


def test_a_tenant_admin_writes_templates_and_an_outsider_sees_none(world, client):
    admin = world.person("tara", "tenant_admin")
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    url = "/admin/cases/interimtemplate/"
    data = {"tenant": str(world.tenant.pk), "domain": "legal", "locale": "es", "text": "Un momento.", "reason": "new"}
    assert client.post(f"{url}add/", data).status_code == 302
    assert InterimTemplate.objects.get(domain="legal").history.get().history_change_reason == "new"
    assert "Enter a valid value" not in client.get(url).content.decode()
    bad = client.post(f"{url}add/", data | {"locale": "not a tag"}).content.decode()
    assert "A language tag such as" in bad
    outsider = make_world("other").person("oscar", "tenant_admin")
    client.force_login(outsider, backend="django.contrib.auth.backends.ModelBackend")
    assert "Un momento" not in client.get(url).content.decode()
    row = InterimTemplate.objects.get(domain="legal")
    assert client.get(f"{url}{row.pk}/change/").status_code == 302
