"""Work shared out over the cores: how it is cut, and the team that does it."""
