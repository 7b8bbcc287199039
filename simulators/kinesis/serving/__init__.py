"""The HTTP server: connections, TLS, requests in, answers out, subscriptions pushed."""
