"""Stepping: one record on the table, and its way through the nodes, stop by stop."""
