"""A folder as the storage of exports: whoever watches it never meets half a file."""

import os
import tempfile
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class ExportFolder(FileSystemStorage):
    """A file appears under its name when it is whole, and takes the place of an earlier one.

    Its owner alone may read it: exports hold what customers wrote.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: a file that is written again after a kill stands where the first should have."""
        return name

    def _save(self, name: str, content: File) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".unfinished-", delete=False) as part:
            try:
                for chunk in content.chunks():
                    part.write(chunk)
                part.flush()
                os.fsync(part.fileno())
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise
        return str(Path(name).as_posix())
