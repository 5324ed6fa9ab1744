"""How many pictures went through a network."""

import torch


class Passed:
    """Counts from now on, in copies of the network too. forwards: those before, in another process.
    backwards: those that went through it with gradients, whose errors come back."""

    def __init__(self, network: torch.nn.Module, forwards: int = 0):
        self.forwards, self.backwards = forwards, 0
        network.register_forward_hook(self._count)

    def _count(self, network, given, out) -> None:
        self.forwards += len(given[0])
        self.backwards += len(given[0]) * out[0].requires_grad

    def told(self) -> dict[str, int]:
        return {"forwards": self.forwards, "backwards": self.backwards}
