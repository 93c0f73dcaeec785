"""The screen that runs two revisions from one epoch and shows how they differ."""
