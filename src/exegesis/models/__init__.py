"""Models to be explained: trainable text classifiers, the bundled one, and adapters for any other.

Importing this package loads no torch; ``vocabulary`` and ``tokenizer`` do not either.
"""

from pathlib import Path

BUNDLED = Path(__file__).parent / "bundled" / "sentiment"
"""The folder of the bundled sentiment classifier (labels negative, positive); its README says what it is."""
