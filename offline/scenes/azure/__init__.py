"""The demo's scenes on the embedded Azure, one module each, named as their counterparts on AWS."""
