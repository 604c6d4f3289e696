"""``exegesis train``: the options of every kind of model that is trained here."""
