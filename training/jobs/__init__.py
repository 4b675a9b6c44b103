"""Training as a job of a cloud: what is submitted (``submit``), and what runs there (``entry``)."""
