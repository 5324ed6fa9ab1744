"""What runs beside what when tests are given to several processes (make test)."""

import pytest

#: The longest first, so that no process ends with it alone.
FIRST = ("test_slurm", "smoke")


def group(item) -> str:
    """Tests that share what is costly to make stay in one process: the smoke study, or a file's."""
    return "smoke" if "smoke" in item.fixturenames else item.path.stem


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    last = len(FIRST)
    rank = {name: i for i, name in enumerate(FIRST)}
    items.sort(key=lambda item: (rank.get(group(item), last), "unit" in item.path.parts))
