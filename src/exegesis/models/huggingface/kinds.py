"""What a Hugging Face model is for, by the name of its class: no weights tell a token classifier with a pooler from a
text classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = {  # the end of a class's name -> what such a model is
    "ForTokenClassification": "a token classifier",
    "ForQuestionAnswering": "a model that answers questions",
    "ForMultipleChoice": "a model of multiple choice",
    "ForNextSentencePrediction": "a model of next sentences",
    "ForMaskedLM": "a masked language model",
    "ForPreTraining": "a pretrained model without a head for texts",
    "ForCausalLM": "a language model",
    "LMHeadModel": "a language model",
    "ForConditionalGeneration": "a model that writes text",
    "EncoderModel": "an encoder without a head",
    "Model": "an encoder without a head",
}
SAME_HEAD = ("ForTokenClassification", "ForMultipleChoice")  # whose weights a text classifier would take for its own


def kind_of(name: object) -> str:
    """What a model of this class is, and the class; empty for a text classifier and for any other name."""
    ending = _ending(name)
    return f"{KINDS[ending]} ({name})" if ending else ""


def refused_kind(config: Mapping[str, Any]) -> str:
    """The kind of a model, by its config, that must not be loaded as a text classifier; else empty."""
    name = stated_class(config)
    return kind_of(name) if _ending(name) in SAME_HEAD else ""


def stated_class(config: Mapping[str, Any]) -> object:
    """The class of which a model was saved, by its config; None if it names none, or several."""
    stated = config.get("architectures")
    return stated[0] if isinstance(stated, list) and len(stated) == 1 else None


def _ending(name: object) -> str:
    return next((ending for ending in KINDS if isinstance(name, str) and name.endswith(ending)), "")
