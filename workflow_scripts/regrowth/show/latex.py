"""A table as LaTeX that any document with `booktabs` and `longtable` takes."""

import pandas as pd
from regrowth.files import keys
from regrowth.study import variants

#: A longer table runs over pages.
PAGE = 40


def latex(frame: pd.DataFrame) -> str:
    """The table with its text escaped and numbers to four digits, missing ones left empty.

    Keys that apply to no row ("none" throughout) are left out: a page is narrow. A table of up to
    PAGE rows is a `tabular`, a longer one a `longtable`.
    """
    idle = [key for key in variants.KEYS if key in frame and (frame[key] == keys.NONE).all()]
    shown = frame.drop(columns=idle if len(frame) else [])
    digits = dict.fromkeys(shown.select_dtypes("float"), "{:.4g}".format)
    style = shown.reset_index(drop=True).style.format(digits, escape="latex", na_rep="")
    style = style.hide(axis="index").format_index(escape="latex", axis="columns")
    environment = "longtable" if len(shown) > PAGE else None
    return style.to_latex(hrules=True, environment=environment)
