"""Responses to customer orders: what is said to customers at barmate, each at most once (DESIGN §7)."""
