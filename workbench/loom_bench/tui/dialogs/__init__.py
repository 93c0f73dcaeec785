"""Screens that come up over the main one and answer with a value."""
