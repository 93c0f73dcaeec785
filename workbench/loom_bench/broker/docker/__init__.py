"""Kafka in a container of the bench's own, run by a process of its own that owns the container."""
