"""A linear model on character n-grams that labels a whole text or each of its tokens."""
