"""A real OpenBao server and the part that Kubernetes plays in a login, for the demo and the benchmark."""
