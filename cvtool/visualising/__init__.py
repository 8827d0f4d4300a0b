"""What a network has learnt: the pictures' patches that most excite its units."""
