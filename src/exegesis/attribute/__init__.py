"""Which words? One file a method; importing this package registers them all."""

from exegesis.attribute import (
    decomposition,
    gradient,
    input_reduction,
    integrated,
    leave_one_out,
    lime,
    lrp,
    reat,
    shapley,
    soc,
)

__all__ = [
    "decomposition",
    "gradient",
    "input_reduction",
    "integrated",
    "leave_one_out",
    "lime",
    "lrp",
    "reat",
    "shapley",
    "soc",
]
