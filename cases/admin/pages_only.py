"""What only pages need. The API knows tokens and no sessions: it neither reads a cookie nor waits until one is read.

Subclasses and no list of exceptions in a wrapper: Django's checks look for these middlewares by their class.
"""

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse

from ..wire.problems import API_PREFIX


class PagesOnly:
    """Lets requests of the API past the middleware that it is mixed into."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        return super().__call__(request)


class PageSessions(PagesOnly, SessionMiddleware):
    pass


class PageUsers(PagesOnly, AuthenticationMiddleware):
    pass


class PageMessages(PagesOnly, MessageMiddleware):
    pass
