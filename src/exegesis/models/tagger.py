"""Part-of-speech taggers: the bundled network, a user's spaCy pipeline, and the coarse tags of Penn tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from exegesis.core.disk.checksums import check_checksums
from exegesis.core.errors import FileError, MissingExtraError, ModelError, UnsupportedError
from exegesis.nn.blank import blank

if TYPE_CHECKING:
    from exegesis.nn.tag_network import TagNetwork

BUNDLED = Path(__file__).parent / "bundled" / "tagger"


class Tagger(Protocol):
    """A callable that assigns one Penn Treebank tag to each of a sequence of words."""

    def __call__(self, words: Sequence[str], /) -> list[str]: ...


_COARSE = {
    "NOUN": "NN NNS NNP NNPS",
    "VERB": "VB VBD VBG VBN VBP VBZ MD BES HVS",
    "ADV": "RB RBR RBS WRB",
    "ADJ": "JJ JJR JJS",
    "DET": "DT PDT WDT",
    "ADP": "IN",
    "CONJ": "CC",
    "PART": "RP TO POS",
    "PRON": "PRP PRP$ WP WP$ EX",
    "NUM": "CD",
    "INTJ": "UH",
    "SYM": "$ # SYM",
    "PUNCT": ". , : `` '' \" -LRB- -RRB- ( ) HYPH NFP",
    "X": "ADD AFX FW GW LS XX _SP",
}

UNIVERSAL: Mapping[str, str] = {penn: coarse for coarse, tags in _COARSE.items() for penn in tags.split()}


def universal(tag: str) -> str:
    """The coarse tag of a Penn tag; X for an unknown tag.

    The mapping follows the twelve universal tags in which Table 1 of the REAT paper is written: a modal is a VERB,
    "n't" and "not" (RB) are ADV, and PART holds the particle of a phrasal verb (RP), "to" (TO) and the possessive
    ending (POS). Symbols (SYM) and interjections (INTJ) are separate from X.
    """
    return UNIVERSAL.get(tag, "X")


class BundledTagger:
    """The tagger in ``bundled/tagger/``: Penn tags of English words, with or without capitals.

    Attributes:
        tags: the tags that it can assign.
    """

    def __init__(self, network: TagNetwork, rows: int, tags: tuple[str, ...]) -> None:
        self._network, self._rows, self.tags = network, rows, tags

    def __call__(self, words: Sequence[str], /) -> list[str]:
        """Assign one Penn tag per word; every string is accepted, and an empty sequence has no tags."""
        import torch

        from exegesis.nn.context import own_context
        from exegesis.nn.tag_network import features

        if not words:
            return []
        rows = [features(word, self._rows) for word in words]
        with own_context(gradients=False):
            inputs = torch.tensor([rows], device="cpu")
            best: list[int] = self._network(inputs, [len(words)])[0].argmax(-1).tolist()
        return [self.tags[number] for number in best]

    def __repr__(self) -> str:
        return "default_tagger()"


def load_tagger(folder: Path) -> BundledTagger:
    """Load the tagger saved in a folder as config.json and model.safetensors (half precision, run in single).

    The global random state, default dtype and default device of torch are neither used nor changed. Raises FileError
    if the folder is missing or damaged.
    """
    from safetensors.torch import load_file

    from exegesis.nn.context import own_context
    from exegesis.nn.tag_network import TagNetwork

    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tags = tuple(str(tag) for tag in config["tags"])
        with own_context():
            weights = load_file(folder / "model.safetensors", device="cpu")
            if not all(value.is_floating_point() and bool(value.isfinite().all()) for value in weights.values()):
                raise ValueError("its weights hold NaN or infinity, or are no floating-point numbers")
            with blank():
                network = TagNetwork(config["rows"], config["width"], config["hidden"], len(tags))
            network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
        check_checksums(folder / "README.md")
    except Exception as error:  # safetensors and torch raise many kinds; all mean a damaged folder
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"the tagger in {folder} cannot be read ({reason}); install exegesis again") from error
    return BundledTagger(network.eval(), config["rows"], tags)


@cache
def default_tagger() -> BundledTagger:
    """The bundled English tagger, loaded on the first call; it needs no download and no further package."""
    return load_tagger(BUNDLED)


class SpacyTagger:
    """A spaCy pipeline as a tagger: the pipeline runs on the words of a text, and ``token.tag_`` is the tag."""

    def __init__(self, nlp: Any) -> None:
        self._nlp = nlp

    def __call__(self, words: Sequence[str], /) -> list[str]:
        """Assign one tag per word.

        Raises ModelError if the pipeline merges or splits words, UnsupportedError if it sets no tags.
        """
        from spacy.tokens import Doc

        from exegesis.nn.context import own_context

        if not words:
            return []
        with own_context():
            doc = self._nlp(Doc(self._nlp.vocab, words=[_clean(word) for word in words]))
        if len(doc) != len(words):
            raise ModelError(
                f"the spaCy pipeline {_name(self._nlp)} made {len(doc)} tokens of {len(words)} words; "
                f"take out the component that merges or splits tokens"
            )
        tags = [str(token.tag_) for token in doc]
        if not any(tags):
            raise _no_tags(self._nlp)
        return tags

    def __repr__(self) -> str:
        return f"spacy_tagger({_name(self._nlp)})"


def spacy_tagger(nlp: Any) -> SpacyTagger:
    """A user's spaCy pipeline as a tagger: any with Penn tags in ``token.tag_``, like spaCy's English ones.

    The pipeline gets the words as they are, so its tokenizer is not used; strings that spaCy refuses (a lone surrogate,
    an empty word) are replaced in a copy.

    Raises:
        MissingExtraError: spaCy is not installed.
        UnsupportedError: ``nlp`` is not a spaCy pipeline, or no component of it sets tags.
    """
    try:
        from spacy.language import Language
    except ImportError as error:
        raise MissingExtraError("spacy", "spacy", "spacy_tagger") from error
    if not isinstance(nlp, Language):
        raise UnsupportedError(
            f"spacy_tagger takes a loaded spaCy pipeline, not {type(nlp).__name__}; give spacy.load(...)"
        )
    if not any("token.tag" in nlp.get_pipe_meta(name).assigns for name in nlp.pipe_names):
        raise _no_tags(nlp)
    return SpacyTagger(nlp)


def _no_tags(nlp: Any) -> UnsupportedError:
    parts = ", ".join(nlp.pipe_names) or "none"
    return UnsupportedError(
        f"the spaCy pipeline {_name(nlp)} sets no part-of-speech tags (its components: {parts}); use one with a tagger"
    )


def _name(nlp: Any) -> str:
    return f"{nlp.meta.get('lang', '')}_{nlp.meta.get('name', '')}".strip("_")


def _clean(word: str) -> str:
    """A word that spaCy accepts: a lone surrogate becomes "?", the empty word U+FFFD."""
    return word.encode("utf-8", "replace").decode("utf-8") or "\N{REPLACEMENT CHARACTER}"
