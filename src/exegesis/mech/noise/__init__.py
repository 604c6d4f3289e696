"""How much noise each word bears before a hidden state changes: the information that the state holds of the word."""
