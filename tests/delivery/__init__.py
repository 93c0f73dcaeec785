"""Behaviour of running flows, shown through real brokers and real processes."""
