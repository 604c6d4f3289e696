"""A small language model that fills places of a text (``core.language.LanguageModel``): the bundled one, or a folder.

A bidirectional LSTM over words (``models.language.cloze``). The words left of a place are read forwards, those right of
it backwards; a place that is not yet filled is read as the token ``<blank>``, on which the network was trained. Places
are filled from left to right, each from the distribution given everything filled before it:

    p(x_1 ... x_k | rest) = Π_j p(x_j | rest, x_1 ... x_{j-1}, the later places blank)

so one pass draws exactly from the model's joint distribution, and no chain has to settle, as in Gibbs sampling.

Words are looked up in lower case, and drawn in lower case. A word of the text that the vocabulary lacks is read as the
unknown word, which is never drawn; a word that the tokenizer cuts (``don't``) is read in its parts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from exegesis.core.disk.checksums import check_checksums, checksum, with_checksums
from exegesis.core.disk.files import write_whole
from exegesis.core.errors import ExegesisError, FileError
from exegesis.core.progress import counted
from exegesis.models.language_models.cloze import BLANK, START, STOP, ClozeConfig, ClozeNetwork
from exegesis.models.text.tokenizer import tokenize
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.nn.blank import blank
from exegesis.nn.context import ability
from exegesis.protocols.language import Filling, Words, generator

FORMAT, VERSION = "exegesis-language-model", 1
CONFIG, WEIGHTS, WORDS, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"
BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError, SafetensorError,
    ExegesisError,
)  # fmt: skip
State = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class ClozeLanguageModel:
    """Draws words from a ``ClozeNetwork``, text by text, so that a text's draws depend on no other text."""

    network: ClozeNetwork
    vocabulary: Vocabulary
    name: str = "bundled"

    @ability
    def sample(
        self, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
    ) -> list[list[Filling]]:
        """``count`` fillings of each text (see ``protocols.language.LanguageModel``)."""
        requests = counted(zip(texts, positions, strict=True), "contexts drawn", len(texts))
        with torch.no_grad():
            return [self._fill(words, places, count, seed) for words, places in requests]

    def readings(self, positions: int, count: int) -> int:
        """Once from behind, and once for each filling from the front."""
        return 1 + count

    def _fill(self, words: Words, places: Sequence[int], count: int, seed: int) -> list[Filling]:
        if not places or not count:
            return [()] * count
        numbers, at = self._numbers(words, places)
        random = generator(words, places, seed)
        after = self._read(self.network.backwards, numbers[:0:-1])[0][0].flip(0)  # after[t]: everything from t + 1 on
        words_drawn: list[list[int]] = []
        state: State | None = None
        read, row = numbers[: at[0]], torch.tensor([numbers[: at[0]]])
        for number, place in enumerate(at):
            before, state = self._read(self.network.forwards, row, state)
            states = torch.cat([before[:, -1].expand(count, -1), after[place].expand(count, -1)], 1)
            words_drawn.append(self._draw(self.network.logits(states), random))
            state = tuple(part.expand(-1, count, -1).contiguous() for part in state)  # type: ignore[assignment]
            stop = at[number + 1] if number + 1 < len(at) else place + 1
            read = numbers[place + 1 : stop]
            row = torch.tensor([[word, *read] for word in words_drawn[-1]])
        return [tuple(self.vocabulary.tokens[word] for word in filling) for filling in zip(*words_drawn, strict=True)]

    def _numbers(self, words: Words, places: Sequence[int]) -> tuple[list[int], list[int]]:
        """The text as numbers between start and stop token, and the positions of its blanks."""
        blanks, unknown = set(places), self.vocabulary.unknown or 0
        numbers, at = [self.vocabulary.numbers[START]], []
        for place, word in enumerate(words):
            if place in blanks:
                at.append(len(numbers))
                numbers.append(self.vocabulary.numbers[BLANK])
                continue
            parts = [self.vocabulary.numbers.get(part.string, unknown) for part in tokenize(word)]
            numbers += parts or [unknown]
        return [*numbers, self.vocabulary.numbers[STOP]], at

    def _read(self, layer: torch.nn.LSTM, numbers: Any, state: State | None = None) -> tuple[Tensor, State]:
        rows = numbers if isinstance(numbers, Tensor) else torch.tensor([numbers])
        result: tuple[Tensor, State] = layer(self.network.embedding(rows), state)
        return result

    def _draw(self, logits: Float[Tensor, "n v"], random: np.random.Generator) -> list[int]:
        """Draw one word per row by the inverse of the cumulative distribution, in float64."""
        weights = (logits.double() + self._closed).softmax(-1).cumsum(-1)
        shares = torch.from_numpy(random.random(len(logits)))[:, None] * weights[:, -1:]
        index = torch.searchsorted(weights, shares, right=True)[:, 0]
        numbers: list[int] = index.clamp(max=self._last).tolist()
        return numbers

    @cached_property
    def _closed(self) -> Float[Tensor, " v"]:
        """Minus infinity for the words that are never drawn: the special tokens and the unknown word."""
        never = [self.vocabulary.numbers[token] for token in (BLANK, START, STOP)]
        closed = torch.zeros(len(self.vocabulary), dtype=torch.float64)
        closed[[*never, self.vocabulary.pad, self.vocabulary.unknown or 0]] = -torch.inf
        return closed

    @cached_property
    def _last(self) -> int:
        return int(torch.isfinite(self._closed).nonzero()[-1])


@lru_cache(1)
def bundled_language() -> ClozeLanguageModel:
    """The language model that comes with the package."""
    return load_language(Path(__file__).parents[1] / "bundled" / "language_model", name="bundled")


def load_language(folder: str | Path, *, name: str | None = None) -> ClozeLanguageModel:
    """Load a language model from its folder, in float32 on the CPU. Raises FileError for missing or damaged files."""
    path = Path(folder)
    try:
        data: dict[str, Any] = json.loads((path / CONFIG).read_bytes())
        if (data.pop("format"), data.pop("version")) != (FORMAT, VERSION):
            raise ValueError(f"it is no {FORMAT} of version {VERSION}")
        config = ClozeConfig(**data)
        vocabulary = Vocabulary.from_json((path / WORDS).read_text("utf-8"))
        found = load_file(path / WEIGHTS)
        if not all(value.is_floating_point() for value in found.values()):
            raise ValueError("a weight is no floating-point number")
        weights = {key: value.to(torch.float32, copy=True) for key, value in found.items()}
        shapes = {key: value.shape for key, value in weights.items()}
        with blank():
            network = ClozeNetwork(config)
        if shapes != {key: value.shape for key, value in network.state_dict().items()}:
            raise ValueError(f"{WEIGHTS} does not fit {CONFIG}")
        if len(vocabulary) != config.vocabulary or not {BLANK, START, STOP} <= set(vocabulary.numbers):
            raise ValueError(f"{WORDS} does not fit {CONFIG}")
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise ValueError("a weight is not finite")
        network.load_state_dict(weights, assign=True)
        check_checksums(path / CARD)
    except BROKEN as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FileError(f"{path} holds no language model that can be read ({why}); copy or train it again") from None
    return ClozeLanguageModel(network.eval().requires_grad_(False), vocabulary, name or path.name)


def save_language(folder: str | Path, model: ClozeLanguageModel) -> None:
    """Write the folder that ``load_language`` reads; weights in float16, checksums at the end of the card."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().half().contiguous() for key, value in model.network.state_dict().items()}
    shape = {"format": FORMAT, "version": VERSION, **asdict(model.network.config)}
    files = {
        WEIGHTS: save(weights),
        WORDS: model.vocabulary.to_json().encode("ascii"),
        CONFIG: json.dumps(shape, indent=2).encode("ascii") + b"\n",
    }
    card = (path / CARD).read_text("utf-8") if (path / CARD).is_file() else f"# {path.name}\n"
    for name, content in files.items():
        write_whole(path / name, content)
    write_whole(path / CARD, with_checksums(card, {name: checksum(content) for name, content in files.items()}))
