"""The page that asks the signed-in person who they are once more, and the page of their second factor.

Whatever was being done is kept in the session and offered again, so that people sign what they see and not what they
saw.
"""

from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import mark_safe
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..errors import CountersignError
from ..services import second_factor
from .sign_in import SignInPages

KEPT = "kept_choice"
admin.site.unregister(TOTPDevice)  # Its pages show secrets; everybody manages their own here.


def ask(request: HttpRequest, back: str, choice: dict[str, str] | None = None) -> HttpResponse:
    """Send the person to the page that asks; ``choice`` is kept for ``kept_choice`` at the address ``back``."""
    if choice is not None:
        request.session[KEPT] = {"at": back, **choice}
    return redirect(f"{reverse('admin:step_up')}?{urlencode({'next': back})}")


def kept_choice(request: HttpRequest) -> dict[str, str]:
    """What was kept for this address, once; empty where nothing was."""
    kept = request.session.get(KEPT)
    if not isinstance(kept, dict) or kept.get("at") != request.path:
        return {}
    del request.session[KEPT]
    return kept


class StepUpForm(forms.Form):
    password = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = forms.CharField(
        label="Code of your second factor",
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, data: Any = None, *, has_device: bool, has_password: bool) -> None:
        super().__init__(data, label_suffix="")
        if not has_device:
            del self.fields["code"]
        if not has_password:
            del self.fields["password"]


def qr_code(text: str) -> SafeString:
    """``text`` as a drawing within the page. Black on white in dark mode as well: cameras read no other."""
    drawn = segno.make(text, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="qr")
    return mark_safe(drawn)


class StepUpPages:
    """The two pages, for the admin site's own addresses."""

    def __init__(self, site: AdminSite) -> None:
        self.site = site

    def confirm(self, request: HttpRequest) -> HttpResponse:
        """Password, and the code where the person has a device; then back to where they were."""
        has_device = second_factor.device_of(request.user) is not None
        has_password = second_factor.has_password(request.user)
        form = StepUpForm(
            request.POST if request.method == "POST" else None, has_device=has_device, has_password=has_password
        )
        if request.method == "POST" and form.is_valid():
            try:
                second_factor.confirm(request, request.user, **form.cleaned_data)
            except CountersignError as error:
                form.add_error(None, error.message)
            else:
                second_factor.remember(request)
                messages.success(request, "Confirmed. Nothing was signed yet: look once more, then sign.")
                return redirect(_own_address(request))
        status = 403 if form.is_bound else 200
        context = {
            "form": form,
            "next": _own_address(request),
            "has_device": has_device,
            "has_password": has_password,
            "provider_query": urlencode(
                {"next": request.get_full_path() if has_device else _own_address(request), "again": 1}
            ),
            "single_sign_on": settings.SINGLE_SIGN_ON,
            "title": "Confirm who you are",
        }
        return self._page(request, "confirm", context, status)

    def manage(self, request: HttpRequest) -> HttpResponse:
        """One's own second factor: add it, prove it by a first code, take it away."""
        try:
            answer = self._managed(request) if request.method == "POST" else None
        except CountersignError as error:
            messages.error(request, error.message)
            answer = None
        if answer:
            return answer
        asked = second_factor.asked_device_of(request.user)
        context = {
            "title": "Second factor",
            "device": second_factor.device_of(request.user),
            "asked": asked,
            "secret": second_factor.secret_text(asked) if asked else "",
            "otpauth": asked.config_url if asked else "",
            "qr": qr_code(asked.config_url) if asked else "",
            "codes_left": second_factor.codes_left(request.user),
            "has_password": second_factor.has_password(request.user),
        }
        return self._page(request, "second_factor", context, 200)

    def _managed(self, request: HttpRequest) -> HttpResponse:
        password, code = request.POST.get("password", "")[:4096], request.POST.get("code", "")[:10]
        if "add" in request.POST:
            second_factor.begin(request, request.user, password=password)
        elif "prove" in request.POST:
            return self._show_codes(request, second_factor.prove(request, request.user, code=code))
        elif "codes" in request.POST:
            return self._show_codes(
                request, second_factor.new_codes(request, request.user, password=password, code=code)
            )
        elif "remove" in request.POST:
            second_factor.remove(request, request.user, password=password, code=code)
            messages.success(request, "Your second factor is gone. Your password alone confirms who you are.")
        return redirect("admin:second_factor")

    def _show_codes(self, request: HttpRequest, codes: list[str]) -> HttpResponse:
        """In this answer and nowhere else: a message would leave them in a cookie."""
        return self._page(request, "codes", {"title": "Backup codes", "codes": codes}, 200)

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any], status: int) -> HttpResponse:
        context = {**self.site.each_context(request), **context}
        return TemplateResponse(request, f"admin/cases/step_up/{name}.html", context, status=status)


def pages_of(site: AdminSite) -> dict[str, Any]:
    """Name → view, each behind the site's own sign-in, but for the second step of that itself."""
    pages = StepUpPages(site)
    hide = sensitive_post_parameters("password", "code")
    steps = SignInPages(site)
    return {
        "second_step": steps.second_step,
        "step_up": site.admin_view(hide(pages.confirm)),
        "second_factor": site.admin_view(hide(pages.manage)),
    }


def _own_address(request: HttpRequest) -> str:
    """Where to go back to, if that is a page of this site."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    is_own = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if is_own and asked.startswith("/") else reverse("admin:index")
