"""Regrowth's library: pure functions on arrays, tensors, frames and pipelines.

Imports go one way. Ground: keys, config, prompts, store, provenance. Maths: masks, completion,
revival, defences, quantise, patches, signs. Models: models, generation, calibration, images,
judges. On top: tables, figures, report. `job` is how a script starts; `demo` is the demo model's
own world and training.
"""
