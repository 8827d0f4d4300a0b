"""Classification: which class a picture shows."""
