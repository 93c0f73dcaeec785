"""Runs a flow again on records that it has read before: bounded, paced, steered, captured."""
