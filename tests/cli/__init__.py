"""Tests of the ``loom-bench`` command, as a user runs it."""
