"""The six methods that the paper compares, as every table and figure here asks for them."""

from __future__ import annotations

from typing import Any

SIX: dict[str, tuple[str, dict[str, Any], str]] = {  # method, its parameters, kind of number that is explained
    "VanillaGrad": ("gradient", {"norm": "l2"}, "logit"),
    "InteGrad": ("integrated-gradients", {}, "logit"),
    "GradInput": ("gradient-x-input", {}, "logit"),
    "LIME": ("lime", {"samples": 500}, "probability"),
    "NaiveREAT": ("naive-reat", {}, "logit"),
    "REAT": ("reat", {}, "logit"),
}
