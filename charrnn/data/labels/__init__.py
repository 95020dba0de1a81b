"""Labelled text: reading, checking and splitting it, and making it from plain text."""
