"""The addresses of an installation with single sign-on."""

from django.urls import include, path

from config.urls import urlpatterns as all_others

urlpatterns = [*all_others, path("oidc/", include("config.sign_on_urls"))]
