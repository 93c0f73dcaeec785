"""Drawings of a compiled plan: boxes and lines for a terminal, Mermaid, Graphviz, JSON."""
