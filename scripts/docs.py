"""Write what the documents hold of the code: the table of methods, the picture of the layers, the pictures of results.

python scripts/docs.py                                        the table and the layers
python scripts/docs.py --pictures                             also what the bundled model's explanations look like
python scripts/docs.py --pictures --models runs/figures       also three trained models (docs/figures.md says how)
python scripts/docs.py --check                                write nothing; exit 1 where a file is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import layers

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.engine.methods import NEEDS, Card
from exegesis.results.attribution import Attribution
from exegesis.results.hierarchy import Hierarchy
from exegesis.show import written

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

FUN = "The fight scenes are fun but it grows tedious"
ENORMOUSLY = "enormously likable , partly because it is aware of its own grasp of the absurd"
LAUGHS = "serving sara does n't serve up a whole lot of laughs"
NOT_BAD = "The movie is not bad at all but it grows tedious"
FIGURE_4 = ("gradient", "integrated-gradients", "gradient-x-input", "lime", "leave-one-out", "naive-reat", "reat")
FIGURE_5 = ("gru", "lstm", "bigru")
PAPER = {"gru": ("81.9 %", "51.6 %"), "lstm": ("80.4 %", "96.2 %"), "bigru": ("80.9 %", "37.3 %")}
FIGURE_6 = ("leave-one-out", "reat")
WIDE = 9.0  # inches: a whole sentence on a line


def methods() -> str:
    """The registry as a table. Raises KeyError for an ability that ``NEEDS`` has no words for."""
    rows = ["| method | question | needs | adds up | paper | year |", "|---|---|---|:-:|---|--:|"]
    return "\n".join([*rows, *map(_row, exegesis.methods())])


def _row(card: Card) -> str:
    needs = " and ".join(NEEDS[name] for name in card.abilities)
    cells = [f"`{card.name}`", card.question, needs, "✓" if card.complete else "", card.paper]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in [*cells, str(card.year)]) + " |"


def outcomes(folder: Path, results: Sequence[Attribution]) -> str:
    """What each model of Figure 5 says of the sentence, beside what the paper's says (Table 3, Sec. 4.6.2)."""
    rows = ["| | test | positive | fun | tedious | paper: test | paper: positive |", "|---|--:|--:|--:|--:|--:|--:|"]
    for result in results:
        card = (folder / result.model / "README.md").read_text("utf-8")
        test = re.search(r"^- Test: ([\d.]+)%", card, re.MULTILINE)
        score = {row.text: f"{row.score:+.2f}" for row in result.rows()}
        ours = [f"{test[1]} %" if test else "", f"{result.prediction.probabilities['positive']:.1%}".replace("%", " %")]
        rows.append(
            "| " + " | ".join([result.model, *ours, score["fun"], score["tedious"], *PAPER[result.model]]) + " |"
        )
    return "\n".join(rows)


def between(document: str, name: str, content: str) -> str:
    """The document with what stands between ``<!-- name -->`` and ``<!-- /name -->`` replaced. Raises ValueError."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    found, count = marks.subn(lambda mark: f"{mark[1]}{content}\n{mark[2]}", document)
    if count != 1:
        raise ValueError(f"the document needs one place <!-- {name} --> ... <!-- /{name} -->, not {count}")
    return found


def hero() -> Attribution:
    return exegesis.explain("bundled", FUN, "integrated-gradients", level="all").timeless()


def stacked(model: str) -> str:
    """As the paper's Figure 4: methods under each other."""
    known = exegesis.load(model)
    return drawn([exegesis.explain(known, ENORMOUSLY, name, "positive").timeless() for name in FIGURE_4])


def nested(model: str) -> str:
    """As the paper's Figure 6: words, phrases and the whole, by two methods."""
    known = exegesis.load(model)
    return drawn([exegesis.explain(known, LAUGHS, name, "negative", level="all").timeless() for name in FIGURE_6])


def tree() -> Hierarchy:
    """Phrases joined from below (the README's picture)."""
    return exegesis.hierarchy("bundled", NOT_BAD, "acd").timeless()


def bundled_pictures() -> Iterator[tuple[Path, str]]:
    """The explanations that the bundled model gives of the paper's sentences."""
    first = hero()
    yield IMAGES / "why.svg", drawn([first])
    yield IMAGES / "why-dark.svg", drawn([first], dark=True)
    yield IMAGES / "figure4.svg", stacked("bundled")
    yield IMAGES / "figure6.svg", nested("bundled")
    for dark in (False, True):
        yield IMAGES / f"tree{'-dark' * dark}.svg", written([tree()], ".svg", dark=dark).decode()
    shown = written([first], "terminal", color=False, width=96)
    yield readme("terminal", f"```text\n{shown.rstrip()}\n```")


def trained_pictures(folder: Path) -> Iterator[tuple[Path, str]]:
    """The explanations that models of the paper's architectures give: GRU, all three, LSTM."""
    results = [exegesis.explain(str(folder / name), FUN, "reat", "positive").timeless() for name in FIGURE_5]
    yield IMAGES / "figure4-gru.svg", stacked(str(folder / "gru"))
    yield IMAGES / "figure5.svg", drawn(results)
    yield IMAGES / "figure6-lstm.svg", nested(str(folder / "lstm"))
    page = ROOT / "docs" / "figures.md"
    yield page, between(page.read_text("utf-8"), "figure5", outcomes(folder, results))


def drawn(results: Sequence[Attribution], *, dark: bool = False) -> str:
    return str(written(results, ".svg", dark=dark, width=WIDE), "utf-8")


def readme(name: str, content: str) -> tuple[Path, str]:
    page = ROOT / "README.md"
    return page, between(page.read_text("utf-8"), name, content)


def always() -> Iterator[tuple[Path, str]]:
    """What follows from the code alone."""
    yield readme("methods", methods())
    yield IMAGES / "layers.svg", layers.picture()
    yield IMAGES / "layers-dark.svg", layers.picture(dark=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is stale")
    parser.add_argument("--pictures", action="store_true", help="also draw the bundled model's explanations")
    parser.add_argument("--models", type=Path, help="with --pictures: a folder with the models gru, lstm, bigru")
    given = parser.parse_args(arguments)
    sources = [always]
    if given.pictures:
        sources.append(bundled_pictures)
        if given.models is not None:
            sources.append(lambda: trained_pictures(given.models))
    stale = []
    for source in sources:
        for path, content in source():
            if path.exists() and path.read_text("utf-8") == content:
                continue
            stale.append(path)
            if not given.check:
                write_whole(path, content)
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale' if given.check else 'written'}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
