"""Which of the trained weights may change, and which are drawn anew before the first step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from regrowth.learn.gradients import gradients
from regrowth.learn.pictures import Pictures
from regrowth.learn.shares import least

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class State:
    """on: bool by name, True where a weight may change; empty: everywhere. None: nowhere yet. felt:
    gradients since the last mask, by name."""

    on: Weights | None
    felt: Weights


@dataclass(frozen=True)
class Mask:
    """begin: (pipeline, trained weights, the concept's pictures, settings) → State. moved: (step
    number from 1, State, its gradients by name, settings) → the next step's State."""

    begin: Callable[..., State]
    moved: Callable[[int, State, Weights, dict], State]


def everywhere(pipe, held: Weights, pictures: Pictures, settings: dict) -> State:
    return State({}, {})


def stays(at: int, state: State, found: Weights, settings: dict) -> State:
    return state


def salient(pipe, held: Weights, pictures: Pictures, settings: dict) -> State:
    """SalUn's mask over all trained weights together, by |sum of gradients| of the guided loss on
    the concept's pictures: True where one may change."""
    felt = gradients(
        pipe, pictures.latents, pictures.prompts, list(held), "guided", settings["seed"]
    )
    scores = {name: np.abs(felt[f"{name}:sum"]) for name in held}
    bar = least(scores.values(), settings["share"])
    on = {n: torch.from_numpy(score >= bar).to(held[n].device) for n, score in scores.items()}
    return State(on, {})


def nowhere(pipe, held: Weights, pictures: Pictures, settings: dict) -> State:
    return State(None, {name: torch.zeros_like(weight) for name, weight in held.items()})


def moving(at: int, state: State, found: Weights, settings: dict) -> State:
    """Sculpting Memory's mask, of each weight its own.

    After the warm-up it is the share with the largest |sum of gradients|. Every `refresh` steps,
    until four fifths of the training, the least `turnover` of it makes room for the largest
    elsewhere, by the gradients since.
    """
    felt = {name: state.felt[name] + found[name] for name in state.felt}
    nothing = {name: torch.zeros_like(values) for name, values in felt.items()}
    if at == settings["warmup"]:
        return State({n: largest(f.abs(), settings["share"]) for n, f in felt.items()}, nothing)
    due = at % settings["refresh"] == 0 and at < 0.8 * settings["steps"]
    if state.on is None or not due:
        return State(state.on, felt)
    turnover = settings["turnover"]
    return State({n: turned(on, felt[n].abs(), turnover) for n, on in state.on.items()}, nothing)


def largest(scores: torch.Tensor, share: float) -> torch.Tensor:
    """True at the largest share of the scores, one or more, ties by position."""
    n = max(1, int(share * scores.numel()))
    on = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    on[torch.argsort(scores.flatten(), descending=True, stable=True)[:n]] = True
    return on.reshape(scores.shape)


def turned(on: torch.Tensor, scores: torch.Tensor, turnover: float) -> torch.Tensor:
    """The mask with its least `turnover` taken away and as many of the largest elsewhere added."""
    n = min(max(1, int(turnover * int(on.sum()))), int((~on).sum()))
    order = torch.argsort(scores.flatten(), stable=True)
    inside, new = on.flatten()[order], on.flatten().clone()
    new[order[inside][:n]] = False
    new[order[~inside].flip(0)[:n]] = True
    return new.reshape(on.shape)


MASKS = {
    "none": Mask(everywhere, stays),
    "salient": Mask(salient, stays),
    "moving": Mask(nowhere, moving),
}


def reset(pipe, held: Weights, pictures: Pictures, settings: dict) -> Weights:
    """Scissorhands: of the self-attentions' matrices together the share with the largest |weight| ×
    Σ |gradient| is drawn anew, evenly within ±1/√(inputs); by name where they were.

    Its SD code takes the self-attentions of two blocks, and of a share of all weights what lies
    there; how many that are it does not say.
    """
    own = [name for name, weight in held.items() if weight.ndim > 1 and ".attn1." in name]
    felt = gradients(pipe, pictures.latents, pictures.prompts, own, "noise", settings["seed"])
    scores = {n: felt[f"{n}:absolute"] * held[n].detach().abs().cpu().numpy() for n in own}
    bar = least(scores.values(), settings["share"])
    draws, found = torch.Generator().manual_seed(settings["seed"]), {}
    with torch.no_grad():
        for name in own:
            weight = held[name]
            new = 2 * torch.rand(weight.shape, generator=draws) - 1
            new = new / weight[0].numel() ** 0.5
            found[name] = torch.from_numpy(scores[name] >= bar).to(weight.device)
            weight.copy_(torch.where(found[name], new.to(weight), weight))
    return found
