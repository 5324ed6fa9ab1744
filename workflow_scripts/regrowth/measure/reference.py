"""What FID compares with: mean and covariance of the features of reference pictures."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from regrowth.files import images as images_of
from regrowth.judge.judges import IN_MEMORY, features
from regrowth.judge.settings import Judge
from regrowth.study import prompt_tables, references
from regrowth.study.catalogue import Source

log = logging.getLogger(__name__)


def reference(
    judge: Judge,
    root: Path,
    named: str,
    device: str,
    captions: Source | None = None,
    drawn: Callable[[str], list[Image.Image]] | None = None,
) -> dict[str, np.ndarray]:
    """What FID compares with: mean (width,), covariance (width, width) and n of the features.

    named: a folder of pictures (without those whose captions are left out), an .npz with mu and
    sigma (n is then 0), or "demo world", whose pictures `drawn` makes. Raises ValueError where it
    cannot be compared with.
    """
    at, found = root / named, []
    if drawn and named == references.DEMO:
        found = [features(judge, root, drawn(named), device)]
    elif at.is_file():
        width = features(judge, root, [Image.new("RGB", (64, 64))], device).shape[1]
        if told := references.mistakes(named, root, width=width):
            raise ValueError(told[0])
        return references.moments(at)
    else:
        if told := references.mistakes(named, root, captions):
            raise ValueError(told[0])
        files, out = references.pictures(named, root, captions)
        log.info("%d pictures; %d left out for words for young people", len(files), len(out))
        if captions and captions.file and prompt_tables.left_out(captions, root) is None:
            log.warning(
                "%s names no pictures, so that none is left out as its caption is: name the column "
                "with theirs in the catalogue (columns: image)",
                captions.file,
            )
        for first in range(0, len(files), IN_MEMORY):
            some = [images_of.read(f) for f in files[first : first + IN_MEMORY]]
            found.append(features(judge, root, some, device))
            log.info("%d of %d pictures", first + len(some), len(files))
    every = np.concatenate(found).astype(np.float64)
    if not np.isfinite(every).all():
        raise ValueError("features that are no finite numbers: are the judge's weights whole?")
    return {"mean": every.mean(0), "covariance": np.cov(every.T), "n": np.array(len(every))}
