"""Pictures of a plan, drawn by pure functions: boxes and lines, or a row a node."""
