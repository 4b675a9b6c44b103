"""Breakwater's functions on Azure: triggers, adapters and containment actions around the cloud-neutral core."""
