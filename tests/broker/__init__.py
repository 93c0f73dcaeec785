"""Tests of the bench's brokers."""
