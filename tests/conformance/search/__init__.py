"""Search, held against R4's own words and against an independent oracle."""
