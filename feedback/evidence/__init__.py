"""What an evidence pack holds: sections of tables over one tenant and window. The work is in services/evidence_runs."""
