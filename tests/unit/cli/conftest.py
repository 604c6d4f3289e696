"""A small model folder, a Hugging Face folder, and the command line called in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from exegesis.cli import run
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.folder import TrainedClassifier, save_folder
from tests.support.command import TEXT, Said


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BiLSTM of three labels with random weights, as ``exegesis train`` writes it."""
    torch.manual_seed(3)
    words = Vocabulary.from_texts([TEXT.lower(), "a fine film , not a bad one ."])
    shape = RecurrentConfig(
        cell="lstm", bidirectional=True, embedding=5, hidden=4, vocabulary=len(words), labels=("bad", "good", "so-so")
    )
    path = tmp_path_factory.mktemp("models") / "small"
    save_folder(path, TrainedClassifier(RecurrentClassifier(shape).eval(), words), "# A card\n")
    return path


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT of three labels that reads pairs, as ``save_pretrained`` writes it."""
    from tests.support.hf_toys import bert, wordpiece

    path = tmp_path_factory.mktemp("models") / "bert"
    model = bert()
    model.config.id2label = {0: "entailment", 1: "neutral", 2: "contradiction"}
    model.save_pretrained(path)
    wordpiece().save_pretrained(path)
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., Said]:
    """Runs one command; ``explain`` and ``predict`` take the small model unless told otherwise."""

    def one(*arguments: object) -> Said:
        given = [str(argument) for argument in arguments]
        if given[0] in ("explain", "predict") and not {"--model", "-m"} & set(given):
            given += ["--model", str(folder)]
        capsys.readouterr()
        code = run(given)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return one
