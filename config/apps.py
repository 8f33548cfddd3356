from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    """Home of the `demo` command."""

    name = "config"


class CountersignAdminConfig(AdminConfig):
    default_site = "config.admin_site.CountersignAdminSite"
