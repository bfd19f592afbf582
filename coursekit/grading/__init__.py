"""Grading a whole class: what is given to workers, what comes back, and the one process that writes it down."""
