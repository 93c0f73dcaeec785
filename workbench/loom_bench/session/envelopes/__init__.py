"""The inbox of error envelopes: read, grouped, triaged, proved, redriven and made into tests."""
