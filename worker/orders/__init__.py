"""Orders: links, amounts, completion (DESIGN §5)."""
