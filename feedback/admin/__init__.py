"""The doors of feedback in the admin: reviews and the page where cases are decided, and the labels of corrections."""

from .corrections import CorrectionAdmin
from .reviews import ReviewAdmin
from .snippets import TextSnippetAdmin
from .weekly import WeeklyExportAdmin

__all__ = ["CorrectionAdmin", "ReviewAdmin", "TextSnippetAdmin", "WeeklyExportAdmin"]
