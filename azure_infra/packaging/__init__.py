"""The Function app's deploy folder: put together from pinned distributions, and checked for its machine without running it."""
