"""Scoring each line, item, word or character of a text."""
