"""Read a user's own BeerAdvocate reviews (McAuley et al. 2012) as Lei et al. 2016 prepared them.

The files are not here: nobody may give them away. FOLDER holds what goes with the paper's code: for an aspect N (0
appearance, 1 smell, 2 palate) ``reviews.aspectN.train.txt.gz`` and ``reviews.aspectN.heldout.txt.gz`` (or without
``.gz``), a review a line: five scores from 0 to 1, a tab, the words; and ``annotations.json``, a review a line with
``x`` (words), ``y`` (scores) and, under the number of an aspect, ranges of words that people marked.
"""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

from exegesis.core.errors import FileError
from exegesis.data.examples import Example

ASPECTS = ("appearance", "smell", "palate")
GOOD, BAD = (
    0.6,
    0.4,
)  # scores above and below are positive and negative (Chang et al. 2019, Sec. 5.2); others are left out


def read(
    folder: Path, aspect: str, sizes: dict[str, int], limit: int
) -> tuple[dict[str, list[Example]], list[list[list[int]]]]:
    """Texts by split with a label for one aspect, cut to ``limit`` words, and what people marked in the test texts.

    Test texts are the marked ones. Raises FileError for files that are missing or in another form.
    """
    number = ASPECTS.index(aspect)
    parts = {split: _reviews(folder, number, name, sizes[split], limit)
             for split, name in (("train", "train"), ("dev", "heldout"))}  # fmt: skip
    parts["test"], marks = _annotated(folder / "annotations.json", number, sizes["test"], limit)
    return parts, marks


def labelled(score: float) -> str | None:
    """The label of a score; None for one in the middle."""
    return "positive" if score >= GOOD else "negative" if score <= BAD else None


def _reviews(folder: Path, number: int, part: str, count: int, limit: int) -> list[Example]:
    path = folder / f"reviews.aspect{number}.{part}.txt.gz"
    path = path if path.is_file() else path.with_suffix("")
    if not path.is_file():
        raise FileError(f"{path} is missing: BeerAdvocate is no part of this package, put the files there yourself")
    found = list[Example]()
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for at, line in enumerate(lines, 1):
            try:
                scores, words = line.split("\t", 1)
                label = labelled(float(scores.split()[number]))
            except (ValueError, IndexError):
                raise FileError(f"{path}, line {at}: five scores, a tab and the words are expected") from None
            if label is not None and words.split():
                found.append(Example.of(" ".join(words.split()[:limit]), label))
            if len(found) == count:
                break
    return found


def _annotated(path: Path, number: int, count: int, limit: int) -> tuple[list[Example], list[list[list[int]]]]:
    found, marks = list[Example](), []
    try:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            label, words = labelled(float(row["y"][number])), row["x"][:limit]
            if label is None or len(found) == count:
                continue
            starts = [0, *itertools.accumulate(len(word) + 1 for word in words)]
            spans = [(first, min(last, len(words))) for first, last in row[str(number)]]
            found.append(Example.of(" ".join(words), label))
            marks.append([[starts[first], starts[last] - 1] for first, last in spans if first < last])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise FileError(f"{path} cannot be read as annotations of BeerAdvocate ({type(error).__name__})") from None
    return found, marks
