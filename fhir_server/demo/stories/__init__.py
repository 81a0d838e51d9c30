"""Stories: each adds one thread of a life to a chart (visits, findings, treatment)."""
