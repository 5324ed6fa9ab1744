"""The order of the tests: the cluster's is the longest, and last."""

import time


def pytest_configure(config):
    config.begun = time.monotonic()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem == "test_slurm")
