"""Azure infrastructure: ARM templates, generated from what the functions and actions declare."""
