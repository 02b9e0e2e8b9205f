//! remoting client transport: dial, TLS, pipelined connections.
