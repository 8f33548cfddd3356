"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from cases.wire.content_type import guard_content_type

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = guard_content_type(get_wsgi_application())
