"""Raw scores, read some at a time: the right files, judges and rows, and no others."""

import pandas as pd
import pytest
from regrowth.files.store import write_frame
from regrowth.measure.raw import Raw
from regrowth.study import variants

PRUNED = variants.PRETRAINED | {"concept": "church", "eraser": "both", "variant": "pruned"}
CELLS = [
    variants.PRETRAINED | {"prompts": "objects"},
    variants.PRETRAINED | {"prompts": "styles"},
    PRUNED | {"prompts": "objects"},
    PRUNED | {"concept": "candle", "eraser": "uce", "prompts": "objects"},
]


@pytest.fixture
def raw(tmp_path):
    """Each file holds two classes as two judges see them, and says which file it is by its seed."""
    files = []
    for seed, cell in enumerate(CELLS):
        at = f"{variants.path(cell)}/prompts={cell['prompts']}/judges=a+b/scores.parquet"
        rows = [
            {"prompt_set": cell["prompts"], "class": c, "prompt": "p", "seed": seed, "label": c}
            | {"score": 1.0, "features": None, "judge": judge}
            for c in ("church", "golf ball")
            for judge in ("a", "b")
        ]
        (tmp_path / at).parent.mkdir(parents=True)
        write_frame(tmp_path / at, pd.DataFrame(rows))
        files.append(str(tmp_path / at))
    sets = {"church": ["objects"], "candle": ["objects"]}
    return Raw(files, tmp_path, sets, {"both": ["church", "golf-ball"]})


def test_a_concept_has_its_variants_and_models_as_they_are_on_its_sets(raw):
    found = raw.scores("church", "a")
    assert {*found["seed"]} == {0, 2} and {*found["judge"]} == {"a"}
    assert "features" not in found and "judges" not in found
    assert found[found["variant"] == "pretrained"]["class"].tolist() == ["church", "golf ball"]
    assert found[found["variant"] == "pruned"]["class"].tolist() == ["church"], "both are erased"
    assert (found["K"] == "none").all()
    assert raw.scores("church", "c").empty


def test_features_come_file_by_file_of_the_judges_that_are_asked_for(raw):
    every = list(raw.featured(["b"], False))
    assert [frame["seed"].unique().tolist() for frame in every] == [[0], [1], [2], [3]]
    assert {judge for frame in every for judge in frame["judge"]} == {"b"}
    assert len(list(raw.featured(["a", "b"], True))) == 4
    assert not list(raw.featured([], False))
