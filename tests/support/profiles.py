"""Profiles of the property tests: few examples, always the same; ``HYPOTHESIS_PROFILE=many`` for a long search."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_common = {"deadline": None, "suppress_health_check": list(HealthCheck)}
few = settings(max_examples=12, derandomize=True, database=None, **_common)
many = settings(max_examples=300, **_common)
profile = {"few": few, "many": many}[os.environ.get("HYPOTHESIS_PROFILE", "few")]
