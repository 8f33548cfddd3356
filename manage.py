#!/usr/bin/env python
"""Countersign's command line."""

import os
import sys
import warnings


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
        from django.db.utils import OperationalError

        from config import servers
        from config.at_work import name_command
    except ImportError as error:
        sys.exit(
            f"{error.name or error} is not installed in this Python: run `make install`, then use .venv/bin/python."
        )

    # makemigrations only warns of a database that it cannot reach, and goes on without having compared anything.
    warnings.filterwarnings("error", message="Got an error checking a consistent migration history")
    try:
        servers.prepare(os.environ, sys.argv)
        name_command(sys.argv)
        execute_from_command_line(sys.argv)
    except servers.NoServer as error:
        sys.exit(str(error))
    except (OperationalError, RuntimeWarning) as error:
        sentence = servers.explain(error) or servers.explain(error.__context__ or error)
        if sentence is None or "--traceback" in sys.argv:
            raise
        sys.exit(sentence)


if __name__ == "__main__":
    main()
