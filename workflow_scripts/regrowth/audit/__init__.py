"""Audit: what was done to a checkpoint of somebody's, and what of it is likely to come back."""
