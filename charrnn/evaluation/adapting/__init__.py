"""Adapting evaluation: scored text is counted, and networks are mixed with the counts."""
