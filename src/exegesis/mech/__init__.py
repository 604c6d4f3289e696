"""The mechanisms of explanation methods; each serves several questions."""
