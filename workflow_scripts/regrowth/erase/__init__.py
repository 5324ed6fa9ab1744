"""Erasers: which weights a concept needs, and their removal."""
