"""The workbench: run, look into and change Kafka flows from a terminal."""
