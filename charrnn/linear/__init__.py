"""A linear model of the strings of characters in a text, which labels it or each of its tokens."""
