"""Put the table of results.jsonl into README.md: ``python readme.py``."""

from __future__ import annotations

import re
from pathlib import Path

from compare import table

HERE = Path(__file__).parent


def main() -> None:
    page = HERE / "README.md"
    new = f"<!-- table -->\n\n{table(HERE / 'results.jsonl')}\n<!-- end -->"
    page.write_text(re.sub(r"<!-- table -->.*<!-- end -->", lambda _: new, page.read_text(), flags=re.S))


if __name__ == "__main__":
    main()
