"""Flow modules that tests load."""
