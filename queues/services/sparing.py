"""Whom to spare: nobody is given a second look, or offered a further vote that somebody else can give, once their share
of such work is used up. What that share is, the room above says (``FRICTION_CAP``: a dotted path, from a person and a
tenant to yes or no); it is asked only while such an entry waits."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from cases.models import Tenant, User


@cache
def _cap():
    return import_string(settings.FRICTION_CAP)


def is_spared(user: User, tenant: Tenant) -> bool:
    return _cap()(user, tenant)
