"""What this machine offers to the course, and how to get what is missing."""
