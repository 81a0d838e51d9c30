"""The attack suite: each row of a table says what was tried and what must be answered."""
