"""From a declared flow to a plan that an engine can run, or to a list of what is wrong with it."""
