"""What gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from cases.wire.content_type import guard_content_type

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = guard_content_type(get_wsgi_application())

# What is loaded by now stays for good: the collector need not look at it again. A page makes some hundred thousand
# objects and nearly all of them go by themselves: looking for cycles at every 700th took 4 to 10 % of its time.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)
