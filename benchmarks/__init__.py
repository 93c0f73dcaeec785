"""Benchmarks: each is ``python -m benchmarks.NAME`` and ends with one JSON line.

Ratios are taken against baselines of the same invocation, runs alternate, and figures are medians.
The line goes to standard output, progress to standard error.
"""
