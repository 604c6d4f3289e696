"""Which words? One file a method; importing this package registers them all."""

from exegesis.attribute import gradient, input_reduction, integrated, leave_one_out, lime, lrp, reat

__all__ = ["gradient", "input_reduction", "integrated", "leave_one_out", "lime", "lrp", "reat"]
