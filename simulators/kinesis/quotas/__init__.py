"""What the service allows, where it says so, and the accounting that enforces it."""
