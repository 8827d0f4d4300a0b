"""Models that ship with cvtool or are downloaded by it, and where they are kept."""
