"""How good predicted labels are, how to decode them, and what counting reaches."""
