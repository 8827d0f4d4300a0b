"""How fast a model runs in each engine: measured in processes of their own."""
