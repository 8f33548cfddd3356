"""The door of reviews in the admin: their list, the page where cases are decided, and what is exported of them."""

from .exports import ExportAdmin, PushAdmin, PushTargetAdmin
from .reviews import ReviewAdmin

__all__ = ["ExportAdmin", "PushAdmin", "PushTargetAdmin", "ReviewAdmin"]
