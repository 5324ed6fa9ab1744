"""What torch computes on: its device and its threads."""


def device() -> str:
    """ "cuda" where there is one, or "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def use_threads(n: int) -> None:
    """Hold torch to `n` threads, so that results can be compared byte by byte."""
    import torch

    torch.set_num_threads(n)
