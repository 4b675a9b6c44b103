"""The demo's scenes, one module each: ``run(stage)`` plays it on the embedded AWS and returns its record."""
