from __future__ import annotations

import pytest

from exegesis.core.ties import ranked, slack_of


@pytest.mark.quick
def test_rounding_does_not_decide() -> None:
    assert ranked([1.0, 3.0, 2.0], 0.0) == [1, 2, 0]
    assert ranked([2.0, 3.0, 3.0 + 1e-9, 1.0], 1e-6) == [1, 2, 0, 3]
    assert ranked([0.0, 0.9, 1.7, 2.5], 1.0) == [2, 3, 0, 1]  # equal to the highest that is left, not to a neighbour
    assert ranked([1.0, 1.0, 1.0], 0.0, 2) == [0, 1]
    assert ranked([1.0, 2.0, 3.0], 0.5, 1) == [2]
    assert ranked([], 1.0) == []
    assert slack_of([-4.0, 2.0]) == pytest.approx(4e-6)
    assert slack_of([]) == 0.0
