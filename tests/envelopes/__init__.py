"""The inbox of error envelopes."""
