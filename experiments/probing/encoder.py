"""Take the encoder out of a fine-tuned tagger, so that its heads are studied as those of the encoder it came from.

    python encoder.py BASE TAGGER OUT

BASE is the folder of the encoder before, TAGGER what ``exegesis train --tags --arch hf:BASE`` made of it. The pooler,
which a tagger does not have and no attention depends on, is that of BASE.
"""

from __future__ import annotations

import sys

import transformers


def main() -> None:
    base, tagger, out = sys.argv[1:]
    encoder = transformers.AutoModel.from_pretrained(base)
    trained = transformers.AutoModelForTokenClassification.from_pretrained(tagger)
    encoder.load_state_dict(trained.base_model.state_dict(), strict=False)
    encoder.save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(out)


if __name__ == "__main__":
    main()
