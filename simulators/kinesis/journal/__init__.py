"""What is kept on disk, and how the next process goes on from it."""
