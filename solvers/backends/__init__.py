"""One file a back end, same order inside: import, options, status table, run. They receive arrays and translate."""
