"""Traces and proofs in real host processes."""
