"""Which pictures are learnt from."""

#: Far from the seeds of pictures that are judged.
FIRST_SEED = 1_000_000_000


def rows(prompts: list[str], n: int) -> list[dict]:
    """n pictures, the prompts taking turns, each with a seed of its own."""
    return [{"prompt": prompts[i % len(prompts)], "seed": FIRST_SEED + i} for i in range(n)]
