"""The processes that grade: who they are, how they are opened, and what happens when one of them dies."""
