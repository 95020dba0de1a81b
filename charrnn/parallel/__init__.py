"""Distributing work over cores and machines: shards, teams of workers, and ranks."""
