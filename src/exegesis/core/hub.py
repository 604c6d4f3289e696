"""The hub of Hugging Face: whether it can be reached, which is asked once and briefly before anything is loaded."""

from __future__ import annotations

PATIENCE = 2.0  # seconds to wait for its first answer


def answers(name: str, kind: str = "model", file: str = "config.json") -> bool:
    """True if the hub can be reached, by one short request; loading would ask again and again for a minute.

    Raises huggingface_hub's own error for a name that no model or dataset (``kind``) can have.
    """
    import huggingface_hub

    url = huggingface_hub.hf_hub_url(name, file, repo_type=kind)
    try:
        huggingface_hub.get_session().head(url, timeout=PATIENCE)
    except Exception:  # whatever its HTTP library raises
        return False
    return True
