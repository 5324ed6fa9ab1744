"""Files, keys and digests: the ground of everything; no torch."""
