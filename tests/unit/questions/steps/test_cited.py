"""Sources of answers: removal of whole sources by definition, the Lasso, planted answers, and the trust line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

import exegesis
import tests.reference.generation as reference
import tests.support.hf_toys as hf_toys
from exegesis.core.errors import TextError, UsageError
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.questions.attributions.context_cite import lasso
from exegesis.questions.steps.cited import split
from tests.support.shape_checks import unchecked

SOURCES = ["a fine film, really", "some dull plot", "it's good and more of them"]


@pytest.fixture(scope="module")
def writer() -> Any:
    config = transformers.GPT2Config(
        vocab_size=330, n_embd=16, n_layer=1, n_head=2, n_positions=96, bos_token_id=0, eos_token_id=0
    )
    return wrap_huggingface(hf_toys._made(transformers.GPT2LMHeadModel, config), hf_toys.byte_bpe(), name="writer")


@pytest.mark.quick
def test_sources_are_removed_as_wholes(writer: Any) -> None:
    result = exegesis.citations(writer, "what film", SOURCES, " good film", "leave-one-out")
    assert [word.strip() for word in result.words] == SOURCES
    ids, start = result.text.ids, result.text.segments[1].start
    whole = sum(reference.steps(writer.module, ids, start))
    for i, source in enumerate(result.inputs):
        rest = sum(reference.steps(writer.module, ids, start, range(*source)))
        assert result.values[0, i] == pytest.approx(whole - rest, abs=1e-9)
    told = result.details["sources"]
    assert told["log_probability"] == pytest.approx(whole, abs=1e-9)
    best = np.argsort(-result.values[0])[: told["top"]]
    gone = [n for i in best for n in range(*result.inputs[i])]
    assert told["fall"] == pytest.approx(whole - sum(reference.steps(writer.module, ids, start, gone)), abs=1e-9)
    assert told["top"] == 2
    assert -1 <= told["held_out"] <= 1
    assert type(result).from_dict(result.to_dict()) == result
    summed = exegesis.citations(writer, "what film", SOURCES, " good film", "gradient-x-input", trust=False)
    assert "sources" not in summed.details
    pieces = reference.gradient_x_input(writer.module, ids, start).sum(0)
    expected = [float(pieces[source.start : source.stop].sum()) for source in summed.inputs]
    np.testing.assert_allclose(summed.values[0], expected, atol=1e-9)


def test_log_odds_of_an_answer(writer: Any) -> None:
    number = exegesis.generation(writer, "a film", " good", unit="answer", number="log-odds").explained
    log = exegesis.generation(writer, "a film", " good", unit="answer").explained
    assert float(number) == pytest.approx(np.log(np.exp(log) / (1 - np.exp(log))))


def test_the_lasso_is_scikit_learns() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    draws = torch.Generator().manual_seed(3)
    features = (torch.rand(40, 7, generator=draws, dtype=torch.float64) < 0.5).double()
    features[:, 5] = 1.0  # always there
    numbers = features @ torch.tensor([3.0, 0, -2, 0, 0.01, 5, 0]).double() + torch.randn(40, generator=draws).double()
    weights, intercept, fit = lasso(features, numbers, 0.2)
    spread = features.std(0, correction=0).numpy()
    scaled = (features.numpy() - features.numpy().mean(0)) / np.where(spread > 0, spread, 1.0)
    other = linear.Lasso(alpha=0.2, tol=1e-12, max_iter=100_000).fit(scaled, numbers.numpy())
    np.testing.assert_allclose(weights.numpy(), other.coef_ / np.where(spread > 0, spread, 1.0), atol=1e-8)
    assert weights[4] == weights[5] == 0
    predicted = features.numpy() @ weights.numpy() + intercept
    np.testing.assert_allclose(predicted, other.predict(scaled), atol=1e-8)
    assert fit == pytest.approx(other.score(scaled, numbers.numpy()))


def test_the_planted_source_is_found(writer: Any) -> None:
    """A model that copies: the likelier a piece, the oftener it stands before; only one source has the answer."""
    with torch.no_grad():
        module = transformers.GPT2LMHeadModel(writer.module.config).double().eval()
        for name, weight in module.named_parameters():
            if "ln" not in name:
                weight.zero_()
        table = module.transformer.wte.weight
        table.copy_(
            torch.nn.functional.normalize(torch.randn(table.shape, generator=torch.Generator().manual_seed(0)), dim=1)
        )
        attention = module.transformer.h[0].attn
        attention.c_attn.weight[:, 32:] = torch.eye(16).double()
        attention.c_proj.weight.copy_(4 * torch.eye(16).double())
    copier = wrap_huggingface(module, writer.tokenizer, name="copier")
    for method in ("context-cite", "leave-one-out", "shapley"):
        result = exegesis.citations(copier, "what film", SOURCES, " dull plot", method)
        assert int(result.values[0].argmax()) == 1, method
        assert result.details["sources"]["fall"] > result.details["sources"]["random"]


def test_sources_of_a_file_and_bad_ones(writer: Any) -> None:
    assert split("One. Two!\nThree? ") == ["One.", "Two!", "Three?"]
    assert split("One. Two.\n\nThree.") == ["One. Two.", "Three."]
    with pytest.raises(TextError, match="at least one source"):
        exegesis.citations(writer, "what", ["a film", " "], " good")
    with pytest.raises(UsageError, match="list of strings"):
        unchecked(exegesis.citations)(writer, "what", [3], " good")
