"""Examples of our own guide, one file each."""
