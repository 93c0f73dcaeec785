"""The Textual application, drawn over a session that is a script."""
