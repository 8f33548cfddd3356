"""The two steps of signing in: who one is and the password, then a code where the person has a second factor."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from ..errors import CountersignError
from ..services import second_factor
from ..services.access import PASSWORD


class FirstStep(LoginView):
    """Django's, but that whoever has a second factor is not signed in by it."""

    template_name = "admin/login.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.LOCAL_PASSWORDS:  # The page has no such form.
            messages.error(request, "Passwords are switched off here: sign in with your identity provider.")
            return redirect("admin:login")
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {
            "single_sign_on": settings.SINGLE_SIGN_ON,
            "local_passwords": settings.LOCAL_PASSWORDS,
            "next_query": urlencode({"next": self.get_success_url()}),
        }
        return super().get_context_data(**kwargs) | context

    def form_valid(self, form: forms.Form) -> HttpResponse:
        user = form.get_user()
        if second_factor.device_of(user) is None:
            return super().form_valid(form)
        second_factor.hold(self.request, user, next_url=self.get_success_url(), way=PASSWORD)
        return redirect("admin:second_step")


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code of your authenticator app, or a backup code",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


def guesses_no_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
    """Whether a try names nobody, as one at the identity provider does: it would lock out a whole office at once."""
    return not (credentials or {}).get("username") and "username" not in request.POST


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: Any) -> HttpResponse:
    """axes' answer to whoever is locked out: the same for a name that exists and for one that does not."""
    return render(request, "admin/locked.html", {"words": second_factor.locked_words()}, status=429)


class SignInPages:
    """Both steps, for the admin site's own addresses. Neither needs somebody signed in."""

    def __init__(self, site: AdminSite) -> None:
        self.site = site

    @method_decorator((never_cache, csrf_protect, sensitive_post_parameters("code")))
    def second_step(self, request: HttpRequest) -> HttpResponse:
        waiting = second_factor.held(request)
        if waiting is None:
            messages.warning(request, "Sign in first: a code is taken for five minutes after the password.")
            return redirect("admin:login")
        form = CodeForm(request.POST or None, label_suffix="")
        if request.method == "POST" and form.is_valid():
            try:
                way = second_factor.take_step(request, waiting, code=form.cleaned_data["code"])
            except CountersignError as error:
                form.add_error("code", error.message)
            else:
                request.sign_in_way = way
                login(request, waiting.user, backend=waiting.backend)
                second_factor.remember_step(request)
                request.session.pop(second_factor.HELD, None)
                return redirect(waiting.next_url)
        context = {**self.site.each_context(request), "title": "Second step", "form": form}
        status = 403 if form.is_bound else 200
        return TemplateResponse(request, "admin/second_step.html", context, status=status)
