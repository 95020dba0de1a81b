"""Predicting and evaluating labels, with counting models as opponents."""
