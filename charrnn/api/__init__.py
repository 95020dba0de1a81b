"""What a program uses: models that are loaded or trained, and what can be asked of them.

The package ``charrnn`` has all of its names: ``charrnn.load``, ``charrnn.train``, ...
"""
