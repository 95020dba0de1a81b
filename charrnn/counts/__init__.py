"""Counting what follows what: n-grams of a training text that a network's predictions mix with."""
