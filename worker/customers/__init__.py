"""Customer orders: what customers asked the supplier for at barmate, read, kept, told and linked (DESIGN §5, §7)."""
