"""From texts to results: what stands beside the scores."""

from __future__ import annotations

import exegesis


def test_words_unknown_to_the_model_are_in_the_details() -> None:
    model = exegesis.load()
    known, strange = exegesis.explain(model, ["a fine film", "a zorpy film blicks"], "gradient")
    assert "unknown" not in known.details
    assert strange.details["unknown"] == [1, 3]
    assert exegesis.explain(model, "a zorpy film", "reat").details["unknown"] == [1]
