"""What people decided."""

from .reviews import Review, ReviewDraft

__all__ = ["Review", "ReviewDraft"]
