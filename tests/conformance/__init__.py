"""Official suites and data of others, held against the whole."""
