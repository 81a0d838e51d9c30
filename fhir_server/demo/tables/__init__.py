"""What the generator knows: codes, ranges, schedules, names. Each clinical row names its source."""
