"""A model's vocabulary: which tokens are words that a prompt may be made of."""

from collections.abc import Callable, Iterable
from pathlib import Path

#: Parts of a word that are shorter stand in too many others.
TELLING = 3


def load(folder: Path):
    """The tokenizer of a Stable Diffusion directory."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)


def ids(tokenizer, text: str) -> list[int]:
    """The tokens that a text is read as, without those of its ends, however long it is."""
    return tokenizer(text, add_special_tokens=False, truncation=False, padding=False).input_ids


def text(tokenizer, tokens: Iterable[int]) -> str:
    """What a prompt says of these tokens, each a word of its own."""
    return " ".join(tokenizer.decode([int(token)]).strip() for token in tokens)


def missing(tokenizer, words: Iterable[str]) -> dict[str, list[str]]:
    """Of the words those that are no one token, with what they are read as."""
    read = {word: ids(tokenizer, word) for word in words}
    return {
        word: tokenizer.convert_ids_to_tokens(found)
        for word, found in read.items()
        if len(found) != 1 or found[0] in tokenizer.all_special_ids
    }


def free(
    tokenizer, forbidden: Iterable[str], fit: Callable[[str], bool] = lambda text: True
) -> list[int]:
    """The tokens that a prefix may be made of: each is printable, fits, and is read as itself
    wherever it stands between blanks.

    forbidden: words none of whose tokens may be taken, nor a token that spells one of them.
    """
    told = [word.casefold() for some in forbidden for word in some.split()]
    lost = {token for word in told for token in ids(tokenizer, word)}
    spelled = [word for word in told if len(word) >= TELLING]
    special = set(tokenizer.all_special_ids)
    known = {n: text(tokenizer, [n]) for n in sorted(tokenizer.get_vocab().values())}
    known = {n: word for n, word in known.items() if word and word.isprintable()}
    read = tokenizer(
        list(known.values()), add_special_tokens=False, truncation=False, padding=False
    ).input_ids
    return [
        n
        for (n, word), found in zip(known.items(), read)
        if list(found) == [n]
        and n not in special | lost
        and not any(own in word.casefold() for own in spelled)
        and fit(word)
    ]
