"""The screen of a replay: what runs how, its progress, its steps, what it would have written."""
