"""A small Hugging Face folder, as ``save_pretrained`` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two labels with its tokenizer; copy it before you change it."""
    pytest.importorskip("transformers")
    import tests.support.hf_toys as hf_toys

    path = tmp_path_factory.mktemp("models") / "film"
    hf_toys.bert(2).float().save_pretrained(path)
    hf_toys.wordpiece().save_pretrained(path)
    return path
