"""Measurements beside what a user would take instead; not shipped, and nothing of waybill imports them."""
