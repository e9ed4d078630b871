"""What the server keeps between requests: services, uploads, runs."""
