"""AWS: one thin handler per trigger, and the adapters that make AWS services fit the core's protocols."""
