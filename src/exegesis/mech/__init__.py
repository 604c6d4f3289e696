"""How things are computed; each mechanism serves several questions."""
