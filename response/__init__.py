"""Verdict to containment, cloud-neutral: policy, plan, guard, apply, verify, journal, undo."""
