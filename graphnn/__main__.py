"""`python -m graphnn` is `graphnn`."""

from graphnn.cli.main import main

if __name__ == "__main__":
    main()
