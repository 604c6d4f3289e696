"""The names of concepts, kept beside the weights in a model folder, and proposed from typical excerpts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from exegesis.core.disk.files import write_whole
from exegesis.core.errors import FileError, UsageError
from exegesis.data.examples import Example
from exegesis.models.concept_models.model import checked_names, numbered
from exegesis.models.concept_models.network import ConceptNetwork
from exegesis.models.trained.corpus import Corpus
from exegesis.models.trained.folder import TrainedClassifier

NAMES = "concepts.json"
AT_ONCE = 128
WORDS = 3  # of a proposed name


def read_names(folder: Path, count: int) -> tuple[str, ...]:
    """The names of a model's concepts; numbers if there are none. Raises FileError for a damaged file."""
    path = folder / NAMES
    if not path.is_file():
        return numbered(count)
    try:
        return checked_names(json.loads(path.read_bytes())["names"], count)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, UsageError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{path} is damaged ({reason}); delete it and name the concepts again") from None


def write_names(folder: Path, names: Sequence[str], count: int) -> tuple[str, ...]:
    """Keep names with a model. Raises UsageError as ``checked_names``, FileError if the folder cannot be written."""
    found = checked_names(names, count)
    write_whole(folder / NAMES, json.dumps({"names": list(found)}, indent=1) + "\n")
    return found


def proposed(model: TrainedClassifier, examples: Sequence[Example]) -> tuple[str, ...]:
    """A name for each concept: the words of its excerpts that are most typical of it, over some texts.

    A word counts once for each excerpt of a present concept that holds it, weighed by the share of its uses in excerpts
    that are this concept's. A concept that is never present is ``unused``.
    """
    module = model.module
    assert isinstance(module, ConceptNetwork)
    corpus = Corpus.of(examples, model.vocabulary, model.labels)
    device, count = module.embedding.weight.device, module.config.concepts
    uses = [Counter[str]() for _ in range(count)]
    for start in range(0, len(corpus), AT_ONCE):
        batch = corpus.batch(range(start, min(start + AT_ONCE, len(corpus))))
        with torch.no_grad():
            decision = module.decide(batch.ids.to(device), batch.lengths)
        for row, ids in enumerate(batch.ids.tolist()):
            for concept in torch.nonzero(decision.present[row]).flatten().tolist():
                places = torch.nonzero(decision.excerpt[row, concept]).flatten().tolist()
                words = {model.vocabulary.tokens[ids[place]] for place in places}
                uses[concept].update(word for word in words if any(map(str.isalnum, word)))
    total = sum(uses, Counter[str]())
    names = list[str]()
    for number, own in enumerate(uses, 1):
        ranked = sorted(own, key=lambda word: (-(own[word] ** 2) / total[word], word))[:WORDS]
        name = ", ".join(ranked) or f"unused {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return tuple(names)
