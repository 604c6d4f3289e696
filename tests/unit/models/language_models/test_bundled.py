"""The small language model: it draws from its own distribution, for each text alone, and its folder comes back."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import product

import pytest
import torch
from safetensors.torch import load_file, save_file

from exegesis.core.errors import FileError
from exegesis.models import BUNDLED
from exegesis.models.language_models.bundled import ClozeLanguageModel, bundled_language, load_language, save_language
from exegesis.models.language_models.cloze import BLANK, START, STOP, ClozeConfig, ClozeNetwork
from exegesis.models.text.vocabulary import PAD, UNKNOWN, Vocabulary
from exegesis.protocols.language import LanguageModel, fillings

LISTED = ("a", "b", "c", "do", "n't")
VOCABULARY = Vocabulary((PAD, UNKNOWN, *LISTED, BLANK, START, STOP))


def toy(seed: int = 0, scale: float = 0.7) -> ClozeLanguageModel:
    torch.manual_seed(seed)
    network = ClozeNetwork(ClozeConfig(len(VOCABULARY), embedding=6, hidden=5)).eval().requires_grad_(False)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=scale)
    return ClozeLanguageModel(network, VOCABULARY, "toy")


def probabilities(model: ClozeLanguageModel, words: list[str], place: int) -> dict[str, float]:
    """Of every listed word at a place, from the whole network, word by word; other blanks are ``<blank>``."""
    numbers = [VOCABULARY.numbers.get(word, 1) for word in (START, *words, STOP)]
    numbers[place + 1] = VOCABULARY.numbers["a"]  # whatever stands there
    ids = torch.tensor([numbers])
    logits = model.network(ids, ids.flip(1), torch.tensor([len(numbers)]))[place].double()
    weights = {word: math.exp(float(logits[VOCABULARY.numbers[word]])) for word in LISTED}
    return {word: weight / sum(weights.values()) for word, weight in weights.items()}


def joint(model: ClozeLanguageModel, words: list[str], places: list[int]) -> dict[tuple[str, ...], float]:
    """Left to right, later places blank."""
    found = {}
    for filling in product(LISTED, repeat=len(places)):
        text, chance = [BLANK if place in places else word for place, word in enumerate(words)], 1.0
        for place, word in zip(places, filling, strict=True):
            chance *= probabilities(model, text, place)[word]
            text[place] = word
        found[filling] = chance
    return found


def fits(drawn: Counter[tuple[str, ...]], expected: dict[tuple[str, ...], float]) -> bool:
    """Chi-square of the counts below a bound that a right distribution passes but once in a thousand times."""
    count = drawn.total()
    means = {filling: chance * count for filling, chance in expected.items()}
    often = [filling for filling, mean in means.items() if mean > 5]
    chi = sum((drawn[filling] - means[filling]) ** 2 / means[filling] for filling in often)
    rest = count - sum(means[filling] for filling in often)
    if rest > 1:
        chi += (count - sum(drawn[filling] for filling in often) - rest) ** 2 / rest
    return chi < len(often) + 3.1 * math.sqrt(2 * len(often)) + 7  # Wilson and Hilferty's quantile, rounded up


@pytest.mark.parametrize("places", [[2], [0, 1], [1, 4], [0, 2, 4]])
def test_draws_follow_the_joint_distribution(places):
    model, words = toy(), ["a", "c", "b", "zebra", "a"]
    expected = joint(model, words, places)
    assert sum(expected.values()) == pytest.approx(1)
    assert fits(Counter(model.sample([words], [places], 20_000, 3)[0]), expected)


def test_a_wrong_distribution_would_be_seen():
    """The check fails where the later place were read as the word that stood there, and where draws were even."""
    model, words, places = toy(), ["a", "c", "b"], [0, 2]
    drawn = Counter(model.sample([words], [places], 20_000, 3)[0])
    right = joint(model, words, places)
    wrong = {f: probabilities(model, words, 0)[f[0]] * probabilities(model, [f[0], *words[1:]], 2)[f[1]] for f in right}
    assert fits(drawn, right)
    assert not fits(drawn, wrong)
    assert not fits(drawn, dict.fromkeys(right, 1 / len(right)))


def test_draws_belong_to_the_text():
    model: LanguageModel = toy()
    texts = [["a", "b", "c"], ["c", "c"], ["a"], ["b", "do", "n't", "c"]]
    places = [[0, 2], [1], [0], [0, 3]]
    together = model.sample(texts, places, 6, 1)
    assert [len(one) for one in together] == [6] * 4
    for text, place, found in zip(texts, places, together, strict=True):
        assert model.sample([text], [place], 6, 1) == [found]
        assert all(len(filling) == len(place) and set(filling) <= set(LISTED) for filling in found)
    assert model.sample(texts[::-1], places[::-1], 6, 1) == together[::-1]
    assert model.sample(texts, places, 6, 2) != together
    assert fillings(model, texts, places, 6, 1) == together


def test_what_stood_there_is_not_looked_at():
    model = toy(scale=2.0)
    one, other = (model.sample([["b", word, "c", word]], [[1, 3]], 9, 0) for word in ("a", "zebra"))
    assert one == other
    assert model.sample([["b", "a", "a", "a"]], [[1, 3]], 9, 0) != one


def test_case_unknown_words_parts_and_blanks():
    model = toy(scale=2.0)
    near = model.sample([["B", "a", "C"]], [[1]], 40, 0)[0]
    assert Counter(near).keys() <= {(word,) for word in LISTED}
    logits = {}
    for words in (["b", "x", "c"], ["B", "x", "C"], ["don't", "x"], ["do", "n't", "x"], ["\u200b", "x"], ["q", "x"]):
        logits[" ".join(words)] = model._numbers(words, [len(words) - 1])
    assert logits["b x c"] == logits["B x C"]
    assert logits["don't x"] == logits["do n't x"]
    assert logits["\u200b x"] == logits["q x"]
    assert model.sample([["a"]], [[]], 3, 0) == [[(), (), ()]]
    assert model.sample([], [], 3, 0) == []
    assert len(model.sample([["q"] * 2000], [[0, 1999]], 2, 0)[0]) == 2


def test_a_folder_comes_back_and_damage_is_named(tmp_path):
    model = toy()
    save_language(tmp_path / "m", model)
    loaded = load_language(tmp_path / "m")
    assert loaded.name == "m"
    for name, value in model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value.half().float())
    assert loaded.vocabulary == VOCABULARY
    assert not any(weight.requires_grad for weight in loaded.network.parameters())
    state = torch.get_rng_state()
    load_language(tmp_path / "m")
    assert torch.equal(torch.get_rng_state(), state)
    path = tmp_path / "m" / "model.safetensors"
    weights = load_file(path)
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    for change, message in (
        (lambda: save_file(weights | {"bias": torch.full((10,), torch.nan)}, path), "not finite"),
        (lambda: save_file(weights | {"bias": torch.zeros(9)}, path), "does not fit"),
        (lambda: path.write_bytes(b"no"), "SafetensorError|deserializing"),
        (lambda: (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"version": 9})), "of version 1"),
        (lambda: (tmp_path / "m" / "config.json").unlink(), "FileNotFoundError"),
    ):
        change()
        with pytest.raises(FileError, match=rf"^[^\n]*no language model that can be read \([^\n]*({message})[^\n]*$"):
            load_language(tmp_path / "m")
        save_language(tmp_path / "m", model)


def test_the_bundled_model() -> None:
    """What it draws fits its place, and its files are small."""
    model = bundled_language()
    words = ["the", "film", "is", "___", "good", "."]
    drawn = Counter(word for (word,) in model.sample([words], [[3]], 400, 0)[0])
    assert {"a", "very", "not", "so"} & {word for word, _ in drawn.most_common(12)}
    before = Counter(word for (word,) in model.sample([["the", "___", "is", "good", "."]], [[1]], 400, 0)[0])
    assert {"movie", "film", "food", "story", "acting", "cast"} & {word for word, _ in before.most_common(12)}
    assert not {UNKNOWN, BLANK, START, STOP, PAD} & set(drawn + before)
    folder = BUNDLED.parent / "language_model"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "vocabulary.json",
        "README.md",
    }
