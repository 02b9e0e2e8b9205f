"""The API of rocketmq-client-python 2.0.0 over tminus: the same program, without a library to install by hand."""
