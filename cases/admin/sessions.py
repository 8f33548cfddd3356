"""How long a session of the back office lasts, and where somebody is sent who owes a second factor.

Middlewares and not checks in pages: a page that is added tomorrow stands behind them. The API knows no sessions.
"""

import time
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.http import urlencode

from ..rights import rights_of
from ..services import second_factor

CLOCK = "session_clock"
TICK = 60  # seconds between two notes of activity in one session
OPEN_TO_OWING = ("login", "logout", "second_step", "second_factor", "step_up", "jsi18n", "password_change")

Next = Callable[[HttpRequest], HttpResponse]


def is_back_office(request: HttpRequest) -> bool:
    """Whether the request is for a page of the admin site; False where a process serves the API alone."""
    home = _home(get_urlconf(), get_script_prefix())
    return home is not None and request.path.startswith(home)


@lru_cache(maxsize=16)
def _home(urlconf: str | None, prefix: str) -> str | None:
    """Where the admin site stands in these routes, looked up once: every request asks twice."""
    try:
        return reverse("admin:index", urlconf)
    except NoReverseMatch:
        return None


class SessionLimits:
    """Ends a session ``SESSION_IDLE_MINUTES`` after its last request, and ``SESSION_HOURS`` after its sign-in."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_back_office(request) and request.session.session_key and request.user.is_authenticated:
            self._look_at_the_clock(request)
        return self.get_response(request)

    def _look_at_the_clock(self, request: HttpRequest) -> None:
        now, clock = int(time.time()), request.session.get(CLOCK)
        if not isinstance(clock, dict):
            request.session[CLOCK] = {"began": now, "seen": now}
        elif why := _over(clock, now):
            request.signed_out_because = why
            logout(request)
            messages.warning(request, f"You were signed out: {why}. Sign in to go on where you were.")
        elif now - clock["seen"] >= TICK:
            request.session[CLOCK] = clock | {"seen": now}


def _over(clock: dict[str, int], now: int) -> str:
    """Why a session is over, or nothing."""
    if now - clock["began"] >= settings.SESSION_HOURS * 3600:
        return f"a sign-in lasts {settings.SESSION_HOURS} hours"
    if now - clock["seen"] >= settings.SESSION_IDLE_MINUTES * 60:
        return f"nothing was done for {settings.SESSION_IDLE_MINUTES} minutes"
    return ""


class SecondFactorGate:
    """Lets nobody past who owes a second factor and has not used one in this session."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_back_office(request) and request.session.session_key and request.user.is_authenticated:
            owes = not request.session.get(second_factor.USED) and rights_of(request).owes_second_factor
            if owes and request.path not in {reverse(f"admin:{name}") for name in OPEN_TO_OWING}:
                return _send_to_prove(request)
        return self.get_response(request)


def _send_to_prove(request: HttpRequest) -> HttpResponse:
    if second_factor.device_of(request.user) is None:
        messages.warning(request, "Your role signs in with a second factor. Add one; then everything is open to you.")
        return redirect("admin:second_factor")
    back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
    return redirect(f"{reverse('admin:step_up')}?{urlencode({'next': back})}")
