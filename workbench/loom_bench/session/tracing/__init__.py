"""Traces of records, and stops of the live flow, as a session has them."""
