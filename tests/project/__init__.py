"""Tests of the project itself: its budgets, its borders, its words, its packaging."""
