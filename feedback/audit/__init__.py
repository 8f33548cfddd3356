"""One audit trail of every room: who did what, when, to which version and why, as compliance staff read it."""
