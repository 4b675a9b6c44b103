"""The stacks: what is kept (data), what looks (detection), what acts (response), what watches over it (observability)."""
