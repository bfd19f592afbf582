"""A new release of an assignment merged into the notebook of a student who has begun; needs no nbgrader."""
