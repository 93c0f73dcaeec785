"""Tests of the bench: loading, protocol, drawing, sessions."""
