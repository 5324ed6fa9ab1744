"""Models as they lie on a disk: the card, the files, the matrices under attack; no torch."""
