"""The commands of `healthbuddy`, one module each."""
