"""The smoke study, run once from nothing for all tests that look at it."""

import pytest
import yaml
from road import ROOT, Road


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Road:
    """The smoke study, run once from nothing."""
    study = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    road = Road(tmp_path_factory.mktemp("smoke"), study)
    road.run()
    return road
