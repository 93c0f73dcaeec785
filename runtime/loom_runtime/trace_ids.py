"""Identities of traces."""

from __future__ import annotations

import os


def generate_trace_id() -> str:
    """Return a new trace id: 32 lower-case hexadecimal digits, never all zero.

    The form is the trace id of the W3C Trace Context recommendation, in which zero means none.
    """
    while True:
        trace_id = os.urandom(16).hex()
        if trace_id.strip("0"):
            return trace_id


def generate_span_id() -> str:
    """Return a new span id: 16 lower-case hexadecimal digits, never all zero."""
    while True:
        span_id = os.urandom(8).hex()
        if span_id.strip("0"):
            return span_id
