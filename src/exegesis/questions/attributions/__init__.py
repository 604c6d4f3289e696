"""Methods that score words: one file per method; importing this package registers them all."""

from exegesis.questions.attributions import (
    attention_relevance,
    concepts,
    context_cite,
    decomposition,
    deeplift,
    gradient,
    input_reduction,
    integrated,
    leave_one_out,
    lime,
    lrp,
    rationale,
    reat,
    scd,
    shapley,
    soc,
)

__all__ = [
    "attention_relevance",
    "concepts",
    "context_cite",
    "decomposition",
    "deeplift",
    "gradient",
    "input_reduction",
    "integrated",
    "leave_one_out",
    "lime",
    "lrp",
    "rationale",
    "reat",
    "scd",
    "shapley",
    "soc",
]
