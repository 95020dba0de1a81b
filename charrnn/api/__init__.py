"""The Python API: load or train a model, then sample from it, score texts and evaluate it.

Every public name is exported by the package ``charrnn``: ``charrnn.load``, ``charrnn.train``, ...
"""
