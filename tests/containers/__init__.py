"""The Docker broker against a real engine, and against engines and registries that fail."""
