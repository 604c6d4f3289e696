"""``lrp`` beside autolrp over small models of many architectures: what is left over, NaN, and time, in one run.

    python benchmarks/relevance_peers.py --out benchmarks/results/relevance_peers.json

Needs the package autolrp (0.2.0), which propagates through the graph of autograd; its rules are ATTNLRP over BASE. Each
model has two layers, 32 wide, drawn from a seed, in float64; the number is the logit of the predicted label of one text
of twelve words. ``left`` is the part of the logit, over its size, that neither words nor account name: autolrp promises
that relevance of the words' vectors adds up to it. Times are of the processor, in alternating pairs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
import transformers
from sentiment import heading, report
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import exegesis

WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
OWN: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "albert": {**WIDE, "embedding_size": 16},
    "electra": {**WIDE, "embedding_size": 16},
    "modernbert": {**WIDE, "global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2},
    "gemma": {**WIDE, "num_key_value_heads": 2, "head_dim": 8},
    **{kind: {**WIDE, "num_key_value_heads": 2} for kind in ("llama", "mistral", "qwen2", "qwen3")},
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "mpnet", "deberta-v2", "ernie", "convbert", "nystromformer"), WIDE
    ),
}
TEXT = " ".join(f"w{number}" for number in (3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32))


def tokenizer() -> Any:
    """Forty words, with BERT's special pieces."""
    listed = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(40))]
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(listed)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def made(kind: str) -> Any:
    """A small classifier of an architecture."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=44, max_position_embeddings=64, num_labels=2, pad_token_id=1, **OWN[kind]
    )
    module = transformers.AutoModelForSequenceClassification.from_config(config).double().eval()
    with torch.no_grad():
        for weight in module.parameters():  # as made, most would say nothing
            weight.add_(0.05 * torch.randn_like(weight))
    return module


def theirs(autolrp: Any, module: Any, ids: torch.Tensor, label: int) -> torch.Tensor:
    """autolrp's relevance of each piece, by the rules of AttnLRP."""
    vectors = autolrp.tensor(module.get_input_embeddings()(ids).detach())
    logits = module(inputs_embeds=vectors, attention_mask=torch.ones_like(ids)).logits
    logits[0, label].lrp(config=autolrp.LRPConfig(rule={**autolrp.BASE, **autolrp.ATTNLRP}))
    relevance: torch.Tensor = vectors.relevance.detach().as_subclass(torch.Tensor)
    return relevance[0].sum(-1)


def timed(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def beside(autolrp: Any, kind: str, runs: int) -> dict[str, Any]:
    """What both make of one architecture; an error in its first words."""
    module = made(kind)
    model = exegesis.wrap(module, tokenizer=tokenizer(), name=kind)
    result = exegesis.explain(model, TEXT, "lrp")
    label, logit = model.labels.index(result.prediction.label), result.explained
    found: dict[str, Any] = {"ours left": abs(result.gap) / abs(logit), "ours NaN": bool(np.isnan(result.values).any())}
    ids = torch.tensor([model.read(TEXT).ids])
    try:
        pieces = theirs(autolrp, module, ids, label)
    except Exception as error:
        return {**found, "autolrp": f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"}
    found["autolrp left"] = float(abs(logit - pieces.sum())) / abs(logit)
    found["autolrp NaN"] = bool(torch.isnan(pieces).any())
    words = np.array([float(pieces[span.start : span.stop].sum()) for span in result.text.words])
    found["largest difference of words"] = float(np.abs(words - result.values[0]).max())
    pairs = [
        (timed(lambda: exegesis.explain(model, TEXT, "lrp")), timed(lambda: theirs(autolrp, module, ids, label)))
        for _ in range(runs)
    ]
    found["ours over autolrp"] = median(own / other for own, other in pairs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(sorted(OWN)))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    import autolrp

    found: dict[str, Any] = {**heading(), "autolrp": autolrp.__version__}
    for kind in options.kinds.split(","):
        try:
            found[kind] = beside(autolrp, kind, options.runs)
        except exegesis.ExegesisError as error:
            found[kind] = {"ours": str(error)[:160]}
    report(found, options.out)


if __name__ == "__main__":
    main()
