"""The page and the HTTP API: requests, a queue for each model, processes that hold the models, what is drawn."""
