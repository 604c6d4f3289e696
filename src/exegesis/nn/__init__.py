"""Torch parts that several folders use: recurrent cells written out, modules frozen, fast kernels."""
