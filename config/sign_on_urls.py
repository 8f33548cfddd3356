"""The addresses of single sign-on; the provider is told the callback's."""

from django.urls import path

from .sign_on import Callback, Start

urlpatterns = [
    path("authenticate/", Start.as_view(), name="oidc_authentication_init"),
    path("callback/", Callback.as_view(), name="oidc_authentication_callback"),
]
