"""Games of several players: each follows its own loss, every label has a rationale, moments are the paper's."""

from __future__ import annotations

import pytest
import torch

import exegesis
from exegesis.models.rationale_models.selectors.distribution import central_moments
from exegesis.models.trained.taught import Lesson
from tests.support import rationale_toys as toys

IDS, LENGTHS = torch.tensor([[3, 8, 5, 12], [4, 9, 20, 0]]), torch.tensor([4, 3])
LESSON = Lesson(IDS, LENGTHS, torch.eye(2, dtype=torch.float64))


@torch.no_grad()
def test_moments_are_the_papers_and_zero_for_equal_samples() -> None:
    draws = torch.Generator().manual_seed(0)
    x, y = (torch.rand(n, 4, generator=draws, dtype=torch.float64) * 2 - 1 for n in (9, 7))
    total = 0.0
    for k in range(1, 6):  # Zellinger et al. 2017, Def. 2, component by component
        squares = 0.0
        for i in range(4):
            sides = []
            for sample in (x[:, i].tolist(), y[:, i].tolist()):
                mean = sum(sample) / len(sample)
                sides.append(mean if k == 1 else sum((v - mean) ** k for v in sample) / len(sample))
            squares += (sides[0] - sides[1]) ** 2
        total += squares**0.5 / 2.0**k
    assert float(central_moments(x, y, 5, 2.0)) == pytest.approx(total, abs=1e-12)
    assert float(central_moments(x, x[torch.randperm(9, generator=draws)], 5, 2.0)) < 1e-12
    shifted = torch.cat([x, x]) + 0.1
    assert float(central_moments(x, shifted, 5, 2.0)) == pytest.approx(0.05 * 2, abs=1e-9)  # only the mean differs


def test_equal_features_give_a_gradient_that_is_zero_and_no_nan() -> None:
    x = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(central_moments(x, torch.zeros(3, 2, dtype=torch.float64), 5, 2.0), x)
    assert bool((slope == 0).all())


@pytest.mark.parametrize("selector", ["introspective", "class-wise", "distribution-matching"])
def test_each_player_follows_its_own_loss(selector: str) -> None:
    """What moves the selector leaves the classifier's gradient as it is: that is the one of its own loss alone."""
    found = []
    for more in ("", {"introspective": ":control=0:sparsity=9", "class-wise": ":sparsity=9",
                      "distribution-matching": ":sparsity=9"}[selector]):  # fmt: skip
        network = toys.network(selector + more)
        torch.manual_seed(0)
        loss = network.loss(LESSON)
        assert all(weight.requires_grad for weight in network.parameters())
        network.zero_grad()
        loss.backward()
        assert all(weight.grad is not None for weight in network.parameters())
        found.append({name: weight.grad for name, weight in network.named_parameters()})
    same = [name for name in found[0] if name.startswith(("reader.", "output.", "chooser.complement", "chooser.guide"))]
    assert all(torch.allclose(found[0][name], found[1][name]) for name in same)
    scores = [name for name in found[0] if name.startswith(("chooser.score", "chooser.factual"))]
    assert not any(torch.allclose(found[0][name], found[1][name]) for name in scores)


def test_the_complement_is_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    network, gates = toys.network("introspective"), []
    for reader in (network.reader, network.chooser.complement):
        own = reader.read

        def note(vectors, gate, lengths, own=own):  # type: ignore[no-untyped-def]
            gates.append(gate.detach())
            return own(vectors, gate, lengths)

        monkeypatch.setattr(reader, "read", note)
    torch.manual_seed(1)
    network.loss(LESSON)
    real = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0]], dtype=torch.float64)
    kept, rest, again, left = gates
    assert torch.equal(kept + rest, real)
    assert torch.equal(kept, again)
    assert torch.equal(rest, left)


def test_every_label_has_a_rationale_and_its_logit_reads_that_alone() -> None:
    model = toys.model("class-wise")
    text = "w1 w2 good w3 w4 bad w5"
    with torch.no_grad():
        model.network.chooser.factual.weight.mul_(4.0)
    selection = model.select(model.encode([model.read(text)]))
    outputs = model.outputs(model.encode([model.read(text)]))
    assert not torch.equal(selection.labelled[0].kept, selection.labelled[1].kept)
    for number, label in enumerate(model.labels):
        result = exegesis.rationale(model, text, target=label)
        kept = selection.labelled[number].kept[0].nonzero().flatten().tolist()
        assert list(result.kept) == kept
        torch.testing.assert_close(
            torch.tensor(result.scores), selection.labelled[number].chance[0].double(), rtol=0, atol=1e-12
        )
        scores = exegesis.explain(model, text, "rationale", label).scores
        torch.testing.assert_close(torch.tensor(scores), selection.labelled[number].chance[0])
        batch = model.encode([model.read(text)])
        own = model.outputs_of(batch, selection.labelled[number].kept)[0, number]
        torch.testing.assert_close(own, outputs[0, number])
    predicted = int(outputs.argmax())
    assert torch.equal(selection.kept, selection.labelled[predicted].kept)
