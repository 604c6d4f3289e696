"""A language model by its name; the file of a kind of models is loaded when one of its kind is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exegesis.core.errors import UsageError
from exegesis.protocols.language import LanguageModel, is_language_model


def open_language(given: Any) -> LanguageModel:
    """Open a language model by its name: ``bundled``, a folder of ours, or a Hugging Face name or folder.

    A language model itself is returned as it is. Raises UsageError for any other value, FileError if there is no model
    of that name.
    """
    if not isinstance(given, str):
        if not is_language_model(given):
            raise UsageError(
                f"a language model needs a name and sample() (LanguageModel), unlike {type(given).__name__}"
            )
        model: LanguageModel = given
        return model
    from exegesis.models.language_models.bundled import WORDS, bundled_language, load_language

    if given == "bundled":
        return bundled_language()
    if (Path(given) / WORDS).exists():
        return load_language(given)
    from exegesis.models.language_models.masked import load_masked

    return load_masked(given)
