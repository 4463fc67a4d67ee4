"""Side-by-side benchmarks: each row measures the service against a reference, in one run, the sides in turn."""
