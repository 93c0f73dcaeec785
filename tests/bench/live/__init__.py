"""Tests of the live session, through its commands and its value, with real processes."""
