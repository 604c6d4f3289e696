"""Each published formula once more, written plainly: one step, one word, one phrase at a time, in the paper's letters.

Nothing here uses the package. Arrays are numpy's, of floats, or of mpmath numbers where a test wants more digits.
"""
