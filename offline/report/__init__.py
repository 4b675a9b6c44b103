"""The demo's report: what happened (record), as one self-contained HTML file (render)."""
