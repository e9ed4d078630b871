"""Reading and encoding on a Ray cluster: the run stays here, and its workers read, decode and encode."""
