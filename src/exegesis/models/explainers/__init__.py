"""Language models that write why: a label and an explanation in one of several orders, and what follows from which."""
