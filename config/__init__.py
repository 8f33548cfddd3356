"""Countersign's project: settings, servers, addresses, the admin site. It sees every app; none imports it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
