"""LaTeX tables, read back."""

import re

import numpy as np
import pandas as pd
import pytest
from regrowth.show.latex import PAGE, latex
from regrowth.study import variants

#: What LaTeX takes for a command where it is not escaped.
SPECIAL = re.compile(r"(?<!\\)[_%#$^~]")


def read_back(text: str) -> pd.DataFrame:
    """The header and the cells of a table, as text."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    lines = [line for line in lines if "multicolumn" not in line]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)&", line[:-2])] for line in lines]
    header, *cells = [row for i, row in enumerate(rows) if row != rows[0] or i == 0]
    return pd.DataFrame(cells, columns=header)


def frame(n: int) -> pd.DataFrame:
    cell = variants.PRETRAINED | {"concept": "gas-pump", "K": "0.6"}
    cell |= {"rate": 0.0, "mcnemar_p": np.nan, "note": "50 % & _"}
    return pd.DataFrame([cell] * n).assign(rate=np.linspace(0, 1, n))


@pytest.mark.parametrize("n", [3, PAGE + 1])
def test_a_table_reads_back_as_it_was(n):
    text = latex(frame(n))
    assert not SPECIAL.search(text)
    assert text.count("{") == text.count("}")
    assert ("longtable" in text) == (n > PAGE)
    table = read_back(text)
    assert list(table.columns) == ["concept", "variant", "K", "rate", r"mcnemar\_p", "note"]
    assert table["rate"].astype(float).to_numpy() == pytest.approx(np.linspace(0, 1, n), abs=5e-5)
    assert set(table[r"mcnemar\_p"]) == {""} and set(table["note"]) == {r"50 \% \& \_"}


def test_an_empty_table_keeps_its_header():
    assert list(read_back(latex(frame(0).reindex(columns=["a", "b_c"]))).columns) == ["a", r"b\_c"]
