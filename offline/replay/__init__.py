"""Recorded attacks as the seeded account's own telemetry: pure conversions, nothing is delivered here.

Each module turns one kind of recording; where the recordings are absent it returns events of the same format from the scenario
generator, and says so in ``provenance`` and ``source``. The same recording, account and time give the same telemetry.
"""
