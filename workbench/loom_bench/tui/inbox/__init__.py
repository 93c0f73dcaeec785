"""The inbox: error envelopes in groups, what was decided about them, how the newest code does."""
