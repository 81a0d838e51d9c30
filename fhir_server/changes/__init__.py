"""What a write is before it is a row: checked, indexed, linked, and its conditions weighed."""
