from typing import Any, NoReturn

from django.db.backends.postgresql import base

from config.servers import NOTHING_SET, NoServer


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL in all but the connection."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> NoReturn:
        raise NoServer(NOTHING_SET)
