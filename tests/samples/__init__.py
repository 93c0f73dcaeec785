"""Tests of the sample flows: what users read first must be true."""
