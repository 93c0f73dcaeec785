"""A recovery store as a history, read by any process but the one that writes it."""
