"""Decides whether what a user expects of a store's state holds, in a process of its own."""
