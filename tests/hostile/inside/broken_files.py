"""All hostile and broken submissions whose trick lies in the files, not in the code, by the student's name."""

import hand_in_archives
import hand_in_folders
import hand_in_json
import hand_in_notebooks
from desk import HANDED_IN, RECEIVED_LATE, Desk

__all__ = ["HANDED_IN", "RECEIVED_LATE", "Desk"]

# Each of them has put its students into HANDED_IN.
assert all((hand_in_archives, hand_in_folders, hand_in_json, hand_in_notebooks))
