"""The screens over a recovery store: its epochs, the state at each of them, one key's history."""
