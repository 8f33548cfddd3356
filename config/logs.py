"""Log lines: JSON for machines, key=value for people, with what the request has bound (its id, its user)."""

import logging
import sys

import structlog
from structlog.typing import Processor

# Run for our own lines and for those of libraries that use the standard library's loggers.
SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.UnicodeDecoder(),
)


def formatter() -> logging.Formatter:
    """The formatter that ``LOGGING`` names; making it sets structlog up, so that both always go together.

    Structured lines hold what was bound or passed by name and never a request or a body: free text stays in the
    database, where it can be erased.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if sys.stderr is not None and sys.stderr.isatty():
        last.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=SHARED, processors=last)
