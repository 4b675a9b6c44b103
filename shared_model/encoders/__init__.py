"""Events → numbers, the same code in training and in serving."""
