"""The API of Alibaba's mq_http_sdk 1.0.3 (ApsaraMQ HTTP) over tminus: the same program, and `https://` works.

What differs: a publish is never sent twice by itself, clients may be used by many threads, every exception is a
`tminus.Error` too, a message whose body does not fit its digest is left out and logged, and what cannot travel in XML
is refused instead of changed. The environment says what this API has no call for: `TMINUS_TLS_CA` (file of the
certificate authorities to trust) and the usual `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
"""

name = "mq_http_sdk"
