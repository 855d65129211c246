"""The doctor: looks at everything that a set-up can get wrong, and says what to do (DESIGN §8)."""
