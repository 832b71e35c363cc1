"""Seeds drawn from names, so that every random draw can be replayed on its own.

A run has one seed. Whatever needs randomness (the split, the shuffle of epoch 3, the augmentation of sample 17 in
epoch 3) derives its own seed from the run's seed and a name. Nothing depends on what was drawn before it, so a draw can
be repeated for a preview, and a resumed run continues exactly.
"""

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that depends on `seed` and on every name, and on nothing else."""
    text = "\x1f".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def fingerprint(*parts: str | bytes) -> str:
    """A short stable hash (16 hexadecimal digits) of the parts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]
