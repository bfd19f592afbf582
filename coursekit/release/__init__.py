"""What students receive: the release of an assignment, the folder that is published, and what neither may show."""
