"""Tests of the real program in a real terminal, which tmux makes."""
