"""The headless core: owns broker and hosts, and tells what happens; knows no screen."""
