"""Gradient-weighted attention relevance (Chefer et al. 2021, Eqs. 5 and 6), from a module's own attention maps."""

from __future__ import annotations

import numpy as np


def relevance(attentions, gradients):
    """``attentions`` and ``gradients`` are arrays [head, to, from], one for each layer; R after the last, less I."""
    size = attentions[0].shape[-1]
    R = np.eye(size)
    for A, G in zip(attentions, gradients, strict=True):
        mean = np.zeros((size, size))
        for a, g in zip(A, G, strict=True):
            mean += np.maximum(a * g, 0) / len(A)
        R = R + mean @ R
    return R - np.eye(size)
