"""Files on their way out of the house."""

from typing import IO

from django.http import FileResponse


def as_attachment(file: IO[bytes], name: str) -> FileResponse:
    """``file`` as an attachment that no browser shows and no cache keeps."""
    answer = FileResponse(file, as_attachment=True, filename=name, content_type="application/octet-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
