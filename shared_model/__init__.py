"""Telemetry to verdict, cloud-neutral: parsers, encoders, windows, the TFLite engine, verdicts."""
