"""LRP through a transformer beside its forward and backward pass, and beside LXT where that runs, in one run.

    python benchmarks/transformer_relevance.py --model FOLDER --data DATA --texts 8 --runs 15 \
        --out benchmarks/results/transformer_relevance.json
    python benchmarks/transformer_relevance.py --model FOLDER --lxt CHECKOUT

``passes`` are the model's forward and backward pass as every method of the package makes them (the module kept as it
was, the vectors of words put in its place); ``own_call`` is the module's own call from vectors, and its backward pass.

FOLDER is a Hugging Face classifier or causal model (a next word is explained then), DATA has ``sst2/test.tsv``. Texts
run one at a time and in batches, or, with a CHECKOUT, one at a time beside LXT. CHECKOUT is a checkout of
https://github.com/rachtibat/LRP-eXplains-Transformers for a Llama-type model; its patches are undone after each call.
Times are of the processor; only ratios are meant to be kept.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from sentiment import heading, report

import exegesis
from exegesis.data.examples import read_examples
from exegesis.protocols.target import ask
from exegesis.questions.attributions.lrp import Lrp

TEXTS = ("The capital of France is Paris, and the capital of Germany is Berlin.",) * 8


def ratios(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Median seconds of the processor for each call, and each over the first; runs alternate, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if run:
                times[name].append(time.process_time() - start)
    first = next(iter(calls))
    found = {f"{name}_s": median(seconds) for name, seconds in times.items()}
    for name in list(calls)[1:]:
        pairs = zip(times[name], times[first], strict=True)
        found[f"{name}_over_{first}"] = median(one / other for one, other in pairs)
    return found


def beside_passes(model: Any, texts: Sequence[str], runs: int) -> dict[str, float]:
    """``lrp`` for the predicted label, beside a forward and a backward pass to the word vectors; and its gap."""
    batch = model.encode([model.read(text) for text in texts])
    raw = model.outputs(batch)
    target = ask("predicted", model.labels, model.link).of(raw, model.link)

    def passes() -> None:
        with torch.enable_grad():
            vectors = model.embed(batch).requires_grad_(True)
            torch.autograd.grad(target.of(model.outputs_from(vectors, batch)).sum(), vectors)

    def own() -> None:
        with torch.enable_grad():
            vectors = model.module.get_input_embeddings()(batch.ids).detach().requires_grad_(True)
            logits = model.module(inputs_embeds=vectors, attention_mask=batch.mask.long()).logits
            torch.autograd.grad(target.of(logits).sum(), vectors)

    found = ratios({"passes": passes, "lrp": lambda: Lrp()(model, batch, target)}, runs)
    if model.module(batch.ids[:1]).logits.shape == raw[:1].shape:
        found |= ratios({"own_call": own, "lrp": lambda: Lrp()(model, batch, target)}, runs)
    scores = Lrp()(model, batch, target)
    whole = scores.values.sum(-1) + sum(scores.account.values())
    found["gap"] = float((whole - target.of(raw)).abs().max())
    found["absorbed_by_softmax"] = float(scores.account["absorbed by softmax"].abs().mean())
    return found


@contextmanager
def patched(rules: Any, modeling: Any) -> Iterator[None]:
    """The classes of LXT's patches as it leaves them, and as they were afterwards."""
    kept = {target: target.forward for target in rules.attnLRP if isinstance(target, type)}
    eager, functions = modeling.eager_attention_forward, dict(modeling.ALL_ATTENTION_FUNCTIONS.items())
    try:
        for target, patch in rules.attnLRP.items():
            patch(target)
        yield
    finally:
        for target, forward in kept.items():
            target.forward = forward
        modeling.eager_attention_forward = eager
        for name, function in functions.items():
            modeling.ALL_ATTENTION_FUNCTIONS[name] = function


def beside_lxt(model: Any, checkout: str, text: str, runs: int) -> dict[str, float]:
    """One text of a Llama-type model: the largest difference of pieces' scores, and times."""
    from transformers.models.llama import modeling_llama

    package = Path(checkout) / "lxt"
    sys.path.insert(0, checkout)
    for name in ("lxt.efficient.zennit_patches", "lxt.efficient.models"):  # which import what is not needed here
        stub: Any = types.ModuleType(name)
        stub.__path__ = [str(package / "efficient" / "models")]
        stub.monkey_patch_zennit = stub.get_default_map = None
        sys.modules[name] = stub
    from lxt.efficient.models import llama

    batch = model.encode([model.read(text)])
    raw = model.outputs(batch)
    target = ask("predicted", model.labels, model.link).of(raw, model.link)

    def theirs() -> torch.Tensor:
        with patched(llama, modeling_llama), torch.enable_grad():
            vectors = model.embed(batch).requires_grad_(True)
            (slope,) = torch.autograd.grad(target.of(model.outputs_from(vectors, batch)).sum(), vectors)
        return (vectors * slope).sum(-1).detach()

    values = Lrp()(model, batch, target).values[:, 0]
    found = ratios({"lxt": theirs, "lrp": lambda: Lrp()(model, batch, target)}, runs)
    return {**found, "largest_difference": float((values - theirs()).abs().max()), "largest": float(values.abs().max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data")
    parser.add_argument("--lxt")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--texts", type=int, default=64, help="texts of the batch")
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = exegesis.load(options.model)
    texts = list(TEXTS)
    if options.data:
        texts = [str(example.text) for example in read_examples(Path(options.data) / "sst2" / "test.tsv")][
            : options.texts
        ]
    found: dict[str, Any] = {**heading(), "model": Path(options.model).name}
    if not options.lxt:
        found["one text"] = beside_passes(model, texts[:1], options.runs)
        found["a batch"] = beside_passes(model, texts, options.runs)
    else:
        found["beside LXT"] = beside_lxt(model, options.lxt, " ".join(texts[:1]), options.runs)
        found["beside LXT, longer"] = beside_lxt(model, options.lxt, " ".join(texts[:4]), options.runs)
    report(found, options.out)


if __name__ == "__main__":
    main()
