"""A recovery store as a history: real stores of real runs, real replays."""
