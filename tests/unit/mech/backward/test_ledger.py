"""Relevance that is kept back, booked by text."""

from __future__ import annotations

import torch

from exegesis.mech.backward.ledger import Ledger


def test_amounts_go_to_their_texts_and_nothing_of_nothing() -> None:
    """Between the words of a text of one word there is nothing: no element, of which none is the text's."""
    ledger = Ledger(2)
    rows = torch.tensor([[0], [1]])
    ledger.book("bias", torch.tensor([[1.0, 2.0], [3.0, 4.0]]), rows.expand(2, 2))
    ledger.book("bias", torch.ones(2, 0), rows.expand(2, 0))
    ledger.book("other", torch.ones(1, 0), rows[:1, :1].expand(1, 0))
    assert ledger.parts["bias"].tolist() == [3.0, 7.0]
    assert ledger.parts["other"].tolist() == [0.0, 0.0]
