"""The workbench: run, look into and change Kafka flows from a terminal."""

__version__ = "0.1.0"
