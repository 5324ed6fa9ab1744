"""The study, of a model that trains in a moment."""

import pytest
import yaml
from regrowth.run.job import ROOT
from running import SMOKE


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    from small_unet import small_model  # imports what draws, which most tests do without

    folder = tmp_path_factory.mktemp("small")
    card = yaml.safe_load((ROOT / SMOKE["model"]).read_text(encoding="utf-8"))
    card["path"] = str(small_model(folder / "model"))
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return SMOKE | {"model": str(folder / "card.yaml")}
