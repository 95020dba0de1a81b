"""Evaluation that adapts: what is scored is counted, and networks and counts are mixed."""
