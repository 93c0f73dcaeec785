"""The child process in which user code runs: loads, checks, runs and feeds flows."""
