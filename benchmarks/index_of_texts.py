"""Memory, size and time of an index of training texts, and of a question to it; extrapolated to 100,000 texts.

    python benchmarks/index_of_texts.py --model FOLDER --train FILE --texts 2000,10000 [--gradients 0] --out FILE

Each number of texts is indexed in a process of its own, whose peak memory is that of the system's account. Memory is
said to be a + b · texts by the two largest runs. With ``--kept FOLDER`` indexes stay there, and a run that was ended
goes on with them: ``texts_before`` says how many texts an earlier run had indexed, ``build_seconds`` are of the rest. A
file with fewer texts is repeated. ``--copies N`` reads the N-th part of the texts only and writes their rows N times:
what an index of the texts N times over is, without reading every copy. ``--calibration FILE`` has held-out texts for
the first question, which by default holds 2,000 of the training texts against all. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def copied(small: Path, large: Path, examples: list[Any], copies: int) -> None:
    """An index of texts several times over, from that of the texts."""
    from exegesis.questions.sources.store import BLOCK, content

    head = json.loads((small / "index.json").read_text("utf-8"))
    large.mkdir(parents=True, exist_ok=True)
    for one in small.glob("*.f32"):
        (large / one.name).write_bytes(one.read_bytes() * copies)
    (large / "done").write_bytes(b"\1" * -(-len(examples) // BLOCK))
    head |= {"content": content(examples), "texts": len(examples)}
    (large / "index.json").write_text(json.dumps(head))


def once(
    model: str, train: str, texts: int, gradients: int, kept: Path | None, copies: int, calibration: str
) -> dict[str, Any]:
    import exegesis
    from exegesis.questions.sources.store import BLOCK

    loaded = exegesis.load(model)
    examples = exegesis.read_examples(train)
    own = texts // copies
    examples = (examples * -(-own // len(examples)))[:own]
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        where = (kept or Path(folder)) / f"{own}-{gradients}"
        marks = where / "done"
        before = min(own, BLOCK * sum(marks.read_bytes())) if marks.is_file() else 0
        start = time.process_time()
        exegesis.index(loaded, examples, where, gradients=gradients)
        built = time.process_time() - start
        if copies > 1:
            examples, small = examples * copies, where
            where = Path(folder) / "copied"
            copied(small, where, examples, copies)
        size = sum(one.stat().st_size for one in where.iterdir()) / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found: dict[str, Any] = {"texts": len(examples), "copies": copies, "gradients": gradients,
                                 "texts_before": before,
                                 "build_seconds": built, "megabytes": size,
                                 "mib_before": base, "mib_building": peak}  # fmt: skip
        for method in ("nearest", *(["random-projections"] if gradients else [])):
            options = {"calibration": calibration} if method == "nearest" else {}
            start = time.process_time()
            exegesis.influence(loaded, examples, "an amusing little film", method, index=str(where), **options)
            found[f"{method}_first_seconds"] = time.process_time() - start
            start = time.process_time()
            exegesis.influence(loaded, examples, "a dull and lifeless film", method, index=str(where), **options)
            found[f"{method}_seconds"] = time.process_time() - start
        found["mib_asking"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--texts", default="2000,10000")
    parser.add_argument("--gradients", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--calibration", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--once", type=int)
    given = parser.parse_args()
    if given.once:
        sizes = given.once, given.gradients, given.kept, given.copies
        print(json.dumps(once(given.model, given.train, *sizes, given.calibration)))
        return
    rows = []
    for texts in map(int, given.texts.split(",")):
        command = [sys.executable, __file__, "--model", given.model, "--train", given.train,
                   "--gradients", str(given.gradients), "--copies", str(given.copies),
                   "--calibration", given.calibration, "--once", str(texts)]  # fmt: skip
        command += ["--kept", str(given.kept)] if given.kept else []
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(json.dumps(rows[-1]), flush=True)
    report: dict[str, Any] = {"rows": rows}
    if len(rows) > 1:
        low, high = rows[-2:]
        for name in ("mib_building", "mib_asking", "build_seconds", "megabytes", "nearest_seconds"):
            slope = (high[name] - low[name]) / (high["texts"] - low["texts"])
            report[f"{name}_at_100000"] = high[name] + slope * (100_000 - high["texts"])
    print(json.dumps({name: value for name, value in report.items() if name != "rows"}))
    if given.out:
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
