"""The command line: one verb a file. Data go to stdout; progress, tables and messages to stderr."""

INTERRUPTED = 130  # exit code after Ctrl-C, here because it is needed before anything else is loaded
