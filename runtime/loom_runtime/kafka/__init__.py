"""The only package of the runtime that talks to Kafka."""
