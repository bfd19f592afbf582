"""From what Canvas or Moodle pack, or a folder, to nbgrader's `submitted`, with every attempt kept; and the roster."""
