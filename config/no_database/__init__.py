"""The database of commands that need none: Django may ask what it can do, and connecting says what is missing."""
