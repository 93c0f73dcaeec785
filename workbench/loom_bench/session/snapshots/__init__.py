"""A recovery store as a history: read, forked, replayed, compared; never written itself."""
