"""Files from anyone, files written whole, and what the machine has."""
