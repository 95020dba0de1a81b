"""Labelled text: how it is read, checked, split and made from plain text."""
