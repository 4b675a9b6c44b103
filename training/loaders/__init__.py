"""Readers of recorded data sets, each into what the real parsers take or what they yield."""
