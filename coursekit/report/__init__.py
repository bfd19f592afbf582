"""The page that an instructor reads: a whole class, one assignment."""
