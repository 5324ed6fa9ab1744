"""Regrowth's library: pure functions on arrays, tensors, frames and pipelines.

Imports go one way: keys, config, store and provenance at the ground; masks, completion, revival,
defences, quantise and signs above; models, calibration, generation and judges above those; tables,
figures and report on top.
"""
