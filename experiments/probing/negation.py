"""Write the scopes of negations as tags: a word and its tag in each line, for ``exegesis train --tags``.

    python negation.py SEM-2012-SharedTask-CD-SCO-training-09032012.txt scopes/train.conll

Reads CD-SCO or SFU (``exegesis.data.links.read_negation``) and writes its sentences with a negation. The tags are cue,
scope and O; a word of two negations is a cue if it is one of any of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from exegesis.data.links import read_negation


def main() -> None:
    source, out = sys.argv[1:]
    blocks = []
    for sentence in read_negation(source):
        tags = dict.fromkeys(range(len(sentence.words)), "O")
        tags |= {link.source: "scope" for link in sentence.links}
        tags |= {goal: "cue" for link in sentence.links for goal in link.goals}
        blocks.append("".join(f"{word}\t{tags[at]}\n" for at, word in enumerate(sentence.words)))
    Path(out).write_text("\n".join(blocks))
    print(f"{out}: {len(blocks)} sentences")


if __name__ == "__main__":
    main()
