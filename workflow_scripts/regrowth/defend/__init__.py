"""Defences: what fills the erased positions."""
