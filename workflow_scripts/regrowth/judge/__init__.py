"""Judges: who looks at pictures."""
