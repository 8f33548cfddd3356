"""Expected work against the people who will be there."""
