"""Servers of a bench's own, whatever the environment names: a migrated database and a broker in a temporary folder."""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

from config import embedded
from tests.servers import copy_migrated


@contextmanager
def own_servers(**options: Any) -> Iterator[tuple[str, Path]]:
    """The database's URL and the folder, with Django set up for both; ``options`` are those of ``embedded.start``.

    Once in a process, since Django is. Nothing of it is left afterwards. Exits where the servers cannot start.
    """
    warnings.filterwarnings("ignore", message="No directory at")  # whitenoise's, of static files collected for nobody
    folder = Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    try:
        copy_migrated(folder)
        running = embedded.start(folder, **options)
        try:
            os.environ.update(
                DATABASE_URL=running.database_url,
                REDIS_URL=running.redis_url,
                COUNTERSIGN_DATA=str(folder / "data"),
                COUNTERSIGN_INSECURE_HTTP="1",
                DJANGO_SETTINGS_MODULE="config.settings",
                LOG_LEVEL="ERROR",
            )
            django.setup()
            yield running.database_url, folder
        finally:
            running.stop()
    except embedded.CannotStart as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
