"""Models of single records, for the comparison with the literature: NSL-KDD and CICIDS2017. Evaluated, never deployed."""
