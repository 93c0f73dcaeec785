"""The screen that looks for the first epoch and record at which something holds no more."""
