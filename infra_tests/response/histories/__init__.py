"""Generated histories of the response: whatever arrives, in whatever order, whoever is killed in the midst of it."""
