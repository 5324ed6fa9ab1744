"""Regrowth's library: pure functions on arrays, tensors, frames and pipelines.

Rooms, from the ground up; imports run downwards only (tests/unit/test_house.py):
files: keys, parquet, safetensors, digests. settings: what users write in YAML, strictly. models: a
model's card and files. complete: low-rank matrix completion. draw: pipelines and pictures. erase,
defend, attack: the methods. judge: who looks at pictures. study: what a study says, the sweep that
follows, and what is wrong with it. measure: rates, intervals, verdicts, tables. show: figures and
pages. run: jobs, plans, progress. demo is the demo model's own world and training; nobody imports
it.
"""
