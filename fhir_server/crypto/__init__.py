"""Keys and sealed content."""
