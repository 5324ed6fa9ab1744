"""Regrowth's library: pure functions on arrays, tensors, frames and pipelines.

Imports go one way. Ground: keys, schema, catalogue, prompts, config, store, provenance, devices.
Maths: masks, completion, revival, oracles, defences, detectors, detectability, quantise, patches,
signs. Models: hub, models, checkpoints, generation, calibration, images, judges. On top: tables,
tradeoff, paper, latex, figures, album, headline, report. Of the run itself: plan, driver, progress,
dag. `job` is how a script starts; `demo` is the demo model's own world and training.
"""
