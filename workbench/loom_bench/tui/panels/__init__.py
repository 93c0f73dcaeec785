"""The panels: what each shows, as pure functions from a session's value to rows and lines."""
