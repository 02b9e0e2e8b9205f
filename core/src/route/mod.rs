//! Route cache over the name servers and queue selection.
