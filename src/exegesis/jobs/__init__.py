"""Runs over corpora that outlive a kill: rows by content, a store of shards, processes, an estimate, a summary."""
