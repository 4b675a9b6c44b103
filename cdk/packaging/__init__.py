"""Function folders: what Lambda unpacks, built without Docker and checked without running it."""
