"""Firing: credit deliveries at the registry, at most once and never forgotten (DESIGN §6)."""
