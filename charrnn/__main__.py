"""The entry point of the command ``charrnn``, and of ``python -m charrnn``."""

import sys


def main() -> None:
    """Run the command line."""
    try:  # Ctrl-C during the import ends it as quietly as later
        from charrnn.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
