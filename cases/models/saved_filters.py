"""Filters of the back office's lists, under a person's own names."""

from django.conf import settings
from django.db import models

from ..ids import new_id

NAME_LENGTH, QUERY_LENGTH = 40, 500


class SavedFilter(models.Model):
    """One person's: nobody else sees it, and the list that it leads to asks for the rights again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    list_name = models.CharField(max_length=60, help_text="Of the list that it belongs to: queues.entry.")
    name = models.CharField(max_length=NAME_LENGTH)
    query = models.CharField(
        max_length=QUERY_LENGTH,
        help_text="As in the address. Never words that were searched for: they may be a customer's.",
    )

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("user", "list_name", "name"), name="names_of_filters_are_unique"),
        )

    def __str__(self) -> str:
        return self.name
