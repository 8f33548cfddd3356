"""Measuring the workflow: what each number means, how it is kept, and the doors that show it."""
