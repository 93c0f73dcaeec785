"""Brokers behind one contract: our own (embedded, mock) and the user's (external)."""
