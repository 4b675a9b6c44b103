"""The way of a trained detector back into ``model_artifacts``: fetched, checked, compared, and written only when told to."""
