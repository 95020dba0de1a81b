"""Checkpoints, run folders, locks and logs."""
