"""The demo world: three tenants with their people, and what happened to them over the last days."""
