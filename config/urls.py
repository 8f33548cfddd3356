"""Where everything is reached."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from cases.customer_pages import opt_out
from cases.wire.error_page import errors_page
from config import health, prometheus

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    path("api/schema/", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]), name="schema"),
    path(
        "api/docs/",
        SpectacularSwaggerSplitView.as_view(authentication_classes=[], permission_classes=[], url_name="schema"),
        name="docs",
    ),
    path("api/docs/errors", errors_page, name="errors"),
    path("customers/opt-out/<str:token>/", opt_out, name="customer_opt_out"),
    path("health/live/", health.live, name="live"),
    path("health/", health.ready, name="ready"),
    path("metrics", prometheus.metrics, name="prometheus"),
]
if settings.SINGLE_SIGN_ON:
    urlpatterns.append(path("oidc/", include("config.sign_on_urls")))
