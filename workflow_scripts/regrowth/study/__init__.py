"""What a study says: its settings, the catalogue, the prompts, and what is wrong with them."""
