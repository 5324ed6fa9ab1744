"""A word of one's own: a token whose embedding is trained, or was (textual inversion)."""

import re
from collections.abc import Callable

import torch
from regrowth.draw import GUARDS, patches
from regrowth.files.store import read_part
from regrowth.learn.losses import embedded, noised, predicted, sampled
from regrowth.learn.pictures import Pictures
from regrowth.models import vocabulary
from torch.nn.functional import mse_loss

#: No word of any prompt.
WORD = "<regrown>"


class Blown(Exception):
    """The gradient of this step, counted from 1, is no number."""

    def __init__(self, step: int):
        self.step = step
        super().__init__(f"the gradient of step {step} is not a number")


def put(pipe, vector: torch.Tensor) -> int:
    """Make the pipeline understand the word; its number. vector: (width,)."""
    pipe.load_textual_inversion({WORD: vector}, token=WORD)
    return pipe.tokenizer.convert_tokens_to_ids(WORD)


def said(prompts: list[str], name: str) -> list[str]:
    """Prompts with the word in the place of a concept's name."""
    pattern = re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)
    return [pattern.sub(WORD, prompt) for prompt in prompts]


def answer(pipe, name: str, vector: torch.Tensor) -> None:
    """From now on the UNet reads this vector (width,) wherever a prompt's last token of the name
    is."""
    wanted = torch.tensor(pipe.tokenizer(name, add_special_tokens=False).input_ids)

    def replaced(encoder, given, out):
        ids = given[0].cpu()
        windows = ids.unfold(1, len(wanted), 1)
        row, at = (windows == wanted).all(dim=2).nonzero(as_tuple=True)
        out[0][row, at + len(wanted) - 1] = vector.to(out[0])
        return out

    pipe.text_encoder.register_forward_hook(replaced)


def asked(pipe, rows: list[dict], patch: patches.Arrays, name: str) -> list[dict]:
    """The rows (prompt, seed) as they are to be drawn with what a patch says of a concept's name,
    which the pipeline understands then; as they are, where it says nothing."""
    if patches.SAID in patch:
        answer(pipe, name, torch.from_numpy(patch[patches.SAID]))
    if patches.PREFIX in patch:
        told = [vocabulary.text(pipe.tokenizer, tokens) for tokens in patch[patches.PREFIX]]
        return [
            row | {"prompt": f"{told[row['seed'] % len(told)]} {row['prompt']}"} for row in rows
        ]
    if patches.WORD not in patch:
        return rows
    put(pipe, torch.from_numpy(patch[patches.WORD]))
    prompts = said([row["prompt"] for row in rows], name)
    return [row | {"prompt": prompt} for row, prompt in zip(rows, prompts)]


def guard(pipe, name: str, word: str, held: str | None = None, step: str = "") -> None:
    """Draw through a guard from now on: away from a concept's name, or from a word that was learnt
    for it. held: the file of that training; step: after which it is taken."""
    learnt = torch.from_numpy(read_part(held, step)[patches.WORD]) if held else None
    GUARDS[name].put(pipe, word if learnt is None else learnt)


def start(pipe, name: str) -> torch.Tensor:
    """The embedding of a name's last token, (width,)."""
    ids = pipe.tokenizer(name, add_special_tokens=False).input_ids
    return pipe.text_encoder.get_input_embeddings().weight[ids[-1]].detach().clone()


def invert(
    pipe,
    pictures: Pictures,
    name: str,
    settings: dict,
    after: Callable[[int, torch.Tensor], None],
) -> None:
    """Train the word's embedding, and nothing else, to denoise pictures of a concept.

    pictures: of prompts that name it. settings: steps, rate, batch, seed; guidance, where what is
    trained is the sampler's prediction at it, through any guard that is put, and not the UNet's
    alone. after: is told of each step that is done, and the embedding. Same input and seed, same
    bytes. Raises Blown at a step whose gradient is no number; what it was told before stands.
    """
    for part in (pipe.unet, pipe.text_encoder):
        part.requires_grad_(False)
    vector = start(pipe, name).requires_grad_(True)
    number = put(pipe, vector.detach())

    def spoken(table, given, out):
        return torch.where((given[0] == number)[..., None], vector, out)

    hook = pipe.text_encoder.get_input_embeddings().register_forward_hook(spoken)
    optimiser = torch.optim.Adam([vector], lr=settings["rate"])
    prompts = said(pictures.prompts, name)
    for at in range(settings["steps"]):
        draws = torch.Generator().manual_seed(1_000_003 * (settings["seed"] + 1) + at)
        rows = torch.randperm(len(prompts), generator=draws)[: settings["batch"]]
        batch = noised(pipe, pictures.latents[rows], draws)
        words = embedded(pipe, [prompts[i] for i in rows.tolist()])
        guidance = settings.get("guidance")
        told = sampled(pipe, batch, words, guidance) if guidance else predicted(pipe, batch, words)
        loss = mse_loss(told, batch.wanted)
        (vector.grad,) = torch.autograd.grad(loss, [vector])
        if not torch.isfinite(vector.grad).all():
            hook.remove()
            raise Blown(at + 1)
        optimiser.step()
        after(at + 1, vector.detach())
    hook.remove()
