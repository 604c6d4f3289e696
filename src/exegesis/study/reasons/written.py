"""How good are the explanations that a model writes, and do its decisions follow them?"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.data.written import Written, read_written
from exegesis.models.explainers.explainer import Explainer, load_explainer
from exegesis.models.explainers.orders import BECAUSE, PREDICT, SPECIFIC, asked, read
from exegesis.nn.context import entry
from exegesis.results.behaviour.study import Asked
from exegesis.results.behaviour.written import Exchanged, Simulated, WrittenStudy, WrittenText
from exegesis.study.reasons.simulators import halves, told_by_words

WITHOUT = "BLEU and ROUGE need the extra: pip install 'exegesis[written]'."
OWN_CHOICES = "Each text has labels of its own, so that no simulator can be trained to tell them."
Told = Mapping[str, str]


@entry
def written(
    model: Explainer | str | os.PathLike[str],
    data: str | os.PathLike[str] | Sequence[Written],
    *,
    split: str = "test",
    limit: int | None = None,
    most: int = 8,
    seed: int = 0,
    device: str | None = None,
) -> WrittenStudy:
    """How good the labels and explanations of an explainer are, and whether its labels follow its explanations.

    ``model`` is a folder of ``exegesis train --arch explainer:FOLDER``, ``data`` texts with explanations (what
    ``read_written`` reads). ``limit`` takes the first texts only; ``most`` are shown. Tests of faithfulness, for orders
    that read their explanations: they are taken away; and those of two labels (of label-specific ones), or of a text
    with another label, are put in their place. A faithful model then loses its label, and takes the other one.

    Simulators are linear classifiers of words, fitted on half of the texts (``seed``) and tried on the others.

    Raises FileError for a folder that is no explainer, UsageError for no texts.
    """
    explainer = model if isinstance(model, Explainer) else load_explainer(os.fspath(model), device)
    rows = list(read_written(os.fspath(data), split) if isinstance(data, str | os.PathLike) else data)[:limit]
    if not rows:
        raise UsageError("there are no texts with explanations; give at least one")
    told = explainer.explain(rows)
    chances = explainer.decide(rows, told)
    labels = [one.choices[int(chance.argmax())] for one, chance in zip(rows, chances, strict=True)]
    said = explainer.afterwards(rows, labels, told)
    right = [label == one.label for label, one in zip(labels, rows, strict=True)]
    bleu, rouge, human, remark = _overlaps(said, rows)
    simulated = _simulated(rows, labels, said, seed)
    if math.isnan(simulated.text):
        remark = f"{remark} {OWN_CHOICES}".strip()
    texts = tuple(
        WrittenText(read(one), label, float(chance.max()), one.label, text, one.explanations[0])
        for one, label, chance, text in zip(rows[:most], labels, chances, said, strict=False)
    )
    common = Counter(one.label for one in rows).most_common(1)[0][1] / len(rows)
    words = sum(len(read(one).split()) for one in rows)
    header = Asked(
        explainer.name, f"Written({explainer.order!r})", "written", "label:each text", len(rows), words, False
    )
    return WrittenStudy(
        header, explainer.order, float(np.mean(right)), common, _perplexity(explainer, rows), bleu, rouge, human,
        tuple(_exchanged(explainer, rows, told, labels)), simulated, remark, texts,
    )  # fmt: skip


def _exchanged(
    explainer: Explainer, rows: Sequence[Written], told: Sequence[Told], labels: Sequence[str]
) -> list[Exchanged]:
    """The tests of faithfulness; none of an order whose decision reads no explanation."""
    if explainer.order == PREDICT:
        return []

    def tried(
        name: str, meaning: str, changed: Sequence[Told], aims: Sequence[str] | None, some: Sequence[int]
    ) -> Exchanged:
        chances = explainer.decide([rows[n] for n in some], changed)
        now = [rows[n].choices[int(chance.argmax())] for n, chance in zip(some, chances, strict=True)]
        right = np.mean([label == rows[n].label for n, label in zip(some, now, strict=True)])
        moved = np.mean([label != labels[n] for n, label in zip(some, now, strict=True)])
        followed = math.nan if aims is None else float(np.mean([a == b for a, b in zip(now, aims, strict=True)]))
        return Exchanged(name, meaning, float(right), float(moved), followed)

    every = list(range(len(rows)))
    found = [tried("removed", "no explanation is read", [dict.fromkeys(one, "") for one in told], None, every)]
    if explainer.order == SPECIFIC:
        swapped, aims = [], []
        for n, one in enumerate(told):
            after = _next(rows[n].choices, labels[n])
            swapped.append({**one, labels[n]: one[after], after: one[labels[n]]})
            aims.append(after)
        return [*found, tried("exchanged", "the explanations of two labels are exchanged", swapped, aims, every)]
    pairs = [(n, other) for n in every if (other := _another(rows, labels, n)) is not None]
    if pairs:
        some, others = [n for n, _ in pairs], [other for _, other in pairs]
        meaning = "the explanation of a text with another label is read"
        found.append(tried("exchanged", meaning, [told[other] for other in others], [labels[o] for o in others], some))
    return found


def _next(choices: Sequence[str], label: str) -> str:
    """The label after this one."""
    return choices[(choices.index(label) + 1) % len(choices)]


def _another(rows: Sequence[Written], labels: Sequence[str], n: int) -> int | None:
    """The next text with another label that is a choice of this one."""
    for step in range(1, len(rows)):
        other = (n + step) % len(rows)
        if labels[other] != labels[n] and labels[other] in rows[n].choices:
            return other
    return None


def _perplexity(explainer: Explainer, rows: Sequence[Written]) -> float:
    """That of the first human explanation of each text, for its gold label, by piece."""
    start = explainer.order == PREDICT
    pairs = [
        (asked(explainer.order, one, one.label), f"{one.label}{BECAUSE}" * start + one.explanations[0]) for one in rows
    ]
    total, count = explainer.writer.likelihoods(pairs)
    if start:  # less what the label costs
        begun = [(source, f"{one.label}{BECAUSE}") for (source, _), one in zip(pairs, rows, strict=True)]
        own, pieces = explainer.writer.likelihoods(begun, ended=False)
        total, count = total - own, count - pieces
    return float(np.exp(-float(total.sum()) / float(count.sum())))


def _overlaps(said: Sequence[str], rows: Sequence[Written]) -> tuple[float, float, float, str]:
    """BLEU and ROUGE-L of explanations with people's, BLEU of a person's with the others', and what is missing.

    The last is over the texts that several people explained; where a text has fewer explanations than another, its last
    one fills up, which as a reference changes no BLEU.
    """
    if find_spec("sacrebleu") is None or find_spec("rouge_score") is None:
        return math.nan, math.nan, math.nan, WITHOUT
    import sacrebleu
    from rouge_score import rouge_scorer

    width = max(len(one.explanations) for one in rows)
    bleu = float(sacrebleu.corpus_bleu(list(said), _columns(rows, width)).score)
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    each = [max(scorer.score(person, text)["rougeL"].fmeasure for person in one.explanations)
            for text, one in zip(said, rows, strict=True)]  # fmt: skip
    several = _columns([one for one in rows if len(one.explanations) > 1], width)
    human = float(sacrebleu.corpus_bleu(several[0], several[1:]).score) if width > 1 else math.nan
    return bleu, float(np.mean(each)), human, ""


def _columns(rows: Sequence[Written], width: int) -> list[list[str]]:
    """The first explanation of every text, the second, and so on; the last one again where there is none."""
    return [[one.explanations[min(n, len(one.explanations) - 1)] for one in rows] for n in range(width)]


def _simulated(rows: Sequence[Written], labels: Sequence[str], said: Sequence[str], seed: int) -> Simulated:
    """Simulators of the model's labels, and the leakage-adjusted simulatability."""
    choices = rows[0].choices
    fitted, held = halves(len(rows), seed)
    if any(one.choices != choices for one in rows) or not fitted or not held:
        return Simulated(*[math.nan] * 5)
    texts = [read(one).lower().split() for one in rows]
    own = [[f"because {word}" for word in text.lower().split()] for text in said]
    gold = [choices.index(label) for label in labels]
    told = np.array([gold[row] for row in held])
    both = [a + b for a, b in zip(texts, own, strict=True)]
    x, e, xe = (told_by_words(bags, gold, len(choices), fitted, held) == told for bags in (texts, own, both))
    gains = [float((xe[part].astype(float) - x[part]).mean()) for part in (e, ~e) if part.any()]
    return Simulated(float(x.mean()), float(e.mean()), float(xe.mean()), float(e.mean()), float(np.mean(gains)))
