"""Trials of sequence models: one question each, asked in cells that are stored, and answered by the report."""
