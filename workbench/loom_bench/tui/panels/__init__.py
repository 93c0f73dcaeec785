"""The panels: pure functions from a session's value to lines, and one widget that shows any of them."""
