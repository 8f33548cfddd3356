"""The door of reviews in the admin: their list, and the page where cases are decided."""

from .reviews import ReviewAdmin

__all__ = ["ReviewAdmin"]
