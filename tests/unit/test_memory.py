"""Memory that is counted where nothing is computed: held to tensors whose size is known."""

import importlib.util

import torch
from road import ROOT

SPEC = importlib.util.spec_from_file_location("meta", ROOT / "benchmarks/meta.py")
meta = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(meta)


def test_what_is_alive_is_counted_once_and_the_most_is_kept():
    with meta.Counted() as counter:
        one = torch.empty(100, 10, device="meta")
        turned, two = one.T[:5], one + 1
        assert counter.now == 8000
        del one
        assert counter.now == 8000, "a view holds what it is a view of"
        del turned, two
        assert counter.now == 0 and counter.most == 8000
        assert float(torch.empty(3, device="meta").sum()) == 1
        assert torch.empty(3, device="meta").isfinite().all()
        assert torch.empty(3, device="meta").cpu().tolist() == [0, 0, 0]


def test_a_training_takes_what_adam_is_known_to_take():
    with torch.device("meta"):
        layer, given = torch.nn.Linear(1000, 1000, bias=False), torch.empty(50, 1000)
    counter, weights, batch = meta.Counted(), 4_000_000, 200_000
    for tensor in (layer.weight, given):
        counter.see(tensor)
    with counter:
        optimiser = torch.optim.Adam(layer.parameters(), foreach=False)
        for _ in range(2):
            optimiser.zero_grad()
            layer(given).square().mean().backward()
            optimiser.step()
    # the weights, their gradient, two moments, and two that a step works in, of one weight alone
    assert counter.most == 6 * weights + batch
