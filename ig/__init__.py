"""Implementation guides: packages read, and our own guide as data."""
