"""Terminal output: plans, progress, words and numbers."""
