"""A small Functions host around the real Functions library: it indexes a deploy folder, feeds its triggers and keeps its log."""
