"""``python -m charrnn`` is the command ``charrnn``, and this its entry point."""

import sys


def main() -> None:
    """Run the command line."""
    try:  # Ctrl-C while it is still being loaded ends it as quietly as later
        from charrnn.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
