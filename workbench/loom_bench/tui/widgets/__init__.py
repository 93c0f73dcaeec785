"""Widgets that paint lines of text; they know tables, trees and keys, not what a session is."""
