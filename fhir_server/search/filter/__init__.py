"""`_filter`: an expression over search parameters; text → syntax tree → tests."""
