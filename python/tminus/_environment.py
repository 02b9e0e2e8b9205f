"""What the environment says, for the packages whose APIs have no call for it."""

from __future__ import annotations

import os

from ._native import TlsOptions


def tls() -> TlsOptions | None:
    """TLS with the certificate authorities of the file that `TMINUS_TLS_CA` names, if it does."""
    authority = os.environ.get("TMINUS_TLS_CA")
    if authority is None:
        return None
    with open(authority) as file:
        return TlsOptions(ca_pem=file.read())
