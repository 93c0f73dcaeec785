"""The async bridge on every event loop that it supports."""
