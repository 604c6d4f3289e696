"""What a small instructed language model says of e-SNLI without any training: three examples stand before each text.

python experiments/concepts/prompted.py DATA MODEL [TEXTS] [FOLDER]

DATA holds esnli; MODEL is the folder of a causal language model (SmolLM2-135M-Instruct). The examples are the first
text of each label of the dev part whose premise has at most ten words, each with a person's explanation; the order is
predict-explain, and labels are told by their likelihood. The first TEXTS (20) texts of the test part are scored by
``study.written``, kept in FOLDER/prompted.json.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from exegesis import study
from exegesis.data.written import Written, read_written
from exegesis.models.explainers.explainer import Explainer, read_writer
from exegesis.models.explainers.orders import PREDICT, lessons
from exegesis.models.explainers.writer import SEPARATOR, Writer

SHORT, MOST = 10, 24


@dataclass(frozen=True, eq=False)
class Prompted(Writer):
    """A writer before whose sources examples stand, and which remembers what it has read while it writes."""

    shown: str = ""

    def _prompt(self, source: str, room: int) -> list[int]:
        return super()._prompt(self.shown + source, room)

    @torch.no_grad()
    def _one(self, source: str, start: str, most: int) -> str:
        begun = self.tokenizer(start, add_special_tokens=False).input_ids if start else []
        ids = torch.tensor([[*self._prompt(source, self._limit() - len(begun) - most), *begun]])
        made = self.module.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, do_sample=False, pad_token_id=self.end
        )
        said = self.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        return str(said).strip().split("\n")[0]


def shown(rows: list[Written]) -> str:
    """An example of each label, as the order writes them."""
    parts = []
    for label in rows[0].choices:
        one = next(row for row in rows if row.label == label and len(row.text[0].split()) <= SHORT)
        source, target = lessons(PREDICT, one)[0]
        parts.append(f"{source}{SEPARATOR}{target}\n\n")
    return "".join(parts)


def main(data: Path, model: str, count: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain = read_writer(model)
    writer = Prompted(plain.module, plain.tokenizer, shown(read_written(data / "esnli", "dev")))
    explainer = Explainer(writer, PREDICT, Path(model).name, MOST)
    found = study.written(explainer, data / "esnli", split="test", limit=count)
    found.save(folder / "prompted.json")
    print(found.table(width=118), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(
        Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 20,
        Path(sys.argv[4]) if len(sys.argv) > 4 else Path(__file__).parent,
    )  # fmt: skip
