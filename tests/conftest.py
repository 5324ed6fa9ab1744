"""One thread a process, and the order of the tests: the cluster's is the longest, and last."""

import os
import time

# Two threads wait for each other where other work has a core: a minute of training became nine.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def pytest_configure(config):
    config.begun = time.monotonic()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem == "test_slurm")
