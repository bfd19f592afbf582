"""The page that a student reads: safe to open, with reasons and hints, without what hidden tests say."""
