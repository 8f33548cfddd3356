"""The REST door of the ground floor."""
