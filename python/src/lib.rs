//! `tminus._native`: the core for Python. Private; the packages `tminus` and `rocketmq` are what a person imports.
//!
//! One rule keeps it safe at every exit and fork: no Rust thread ever calls into Python. Python threads (and event loops)
//! come here, wait without the interpreter lock, and carry results, deliveries and log records back themselves.

mod aio;
mod broker;
mod client;
mod consumer;
mod delivery;
mod errors;
mod http_client;
mod log;
mod message;
mod options;
mod owned;
mod producer;
mod receipt;
mod received;
mod reply;
mod runtime;
mod simple_consumer;
mod transaction;
mod view;

use pyo3::prelude::*;

/// The core of tminus. Private: use the packages `tminus` and `rocketmq`.
#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::aio::Completions;
    #[pymodule_export]
    use crate::broker::{Broker, PendingMessage, SharedClock};
    #[pymodule_export]
    use crate::client::close_all;
    #[pymodule_export]
    use crate::consumer::PushConsumer;
    #[pymodule_export]
    use crate::delivery::Delivery;
    #[pymodule_export]
    use crate::http_client::{Consumed, HttpClient};
    #[pymodule_export]
    use crate::log::{close_logs, next_logs, set_log_level};
    #[pymodule_export]
    use crate::message::Message;
    #[pymodule_export]
    use crate::options::{Credentials, TlsOptions};
    #[pymodule_export]
    use crate::producer::Producer;
    #[pymodule_export]
    use crate::receipt::{MessageQueue, SendReceipt};
    #[pymodule_export]
    use crate::received::{ReceiptHandle, Received};
    #[pymodule_export]
    use crate::simple_consumer::SimpleConsumer;
    #[pymodule_export]
    use crate::transaction::TransactionCheck;
    #[pymodule_export]
    use crate::view::MessageView;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ERROR_KINDS", crate::errors::kinds(module.py())?)
    }
}
