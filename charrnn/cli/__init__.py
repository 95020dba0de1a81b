"""The command line: the only part of charrnn that parses options, prints or imports rich."""
