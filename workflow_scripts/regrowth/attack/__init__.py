"""Attacks: detectors, revival, rounding; oracles for comparison."""
