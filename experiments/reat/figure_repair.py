"""The first advice of the paper's Figure 9, tried: training texts with "terribly" and its synonyms swapped.

    python experiments/reat/figure_repair.py DATA --out experiments/reat/figures

Three LSTMs a seed, with the settings of ``train.sh``: on the training texts, with the texts to be changed once more
(a control), and with the changed texts. Writes ``repair.json``, the numbers without the texts, and ``repair.svg``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.core.plain import to_plain
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions

SWAPS = {"terribly": ["extremely", "very"]}  # Table 6
CONFIG = RecurrentConfig("lstm", embedding=300, hidden=150, embedding_dropout=0.3, readout="last")
OPTIONS = TrainOptions(epochs=20, patience=4, minimum_count=2)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    train, dev, test = (given.data / "sst2" / f"{part}.tsv" for part in ("train", "dev", "test"))
    found = exegesis.study.repair(train, SWAPS, test, dev=dev, config=CONFIG, options=OPTIONS, seeds=given.seeds)
    means = {name: to_plain(getattr(found, name)) for name in ("fault", "beyond", "test")}
    kept = {"swaps": SWAPS, "added": len(found.added), "runs": [one._asdict() for one in found.runs], **means}
    write_whole(given.out / "repair.json", json.dumps(kept, indent=1) + "\n")
    found.save(given.out / "repair.svg")
    print(found.table())


if __name__ == "__main__":
    main()
