"""The recovery store: whose it is, who uses it, what it holds, and making it fit to resume from."""
