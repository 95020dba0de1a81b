"""Safe reading and atomic writing of files, and facts about the machine."""
