"""Reading the data sets that users have into one in-memory form."""
