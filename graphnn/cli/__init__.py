"""The command line: one verb a file. Data go to stdout; progress, tables and messages to stderr."""
