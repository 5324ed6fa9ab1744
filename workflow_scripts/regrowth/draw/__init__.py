"""Pipelines: loading, weights put in place, pictures and patches."""
