"""Everything that led to where an order stands, from the stored rows alone (DESIGN §2.6)."""

from worker.explain.order import explain

__all__ = ["explain"]
