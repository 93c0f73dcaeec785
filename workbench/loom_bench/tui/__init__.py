"""The Textual application: draws a session's value and posts what the user wants."""
