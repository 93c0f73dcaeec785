"""Traces: the record of one record's way."""
