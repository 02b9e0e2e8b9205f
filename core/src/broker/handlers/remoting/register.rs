//! Other brokers register here (103) and leave (104): this one is their name server.

use super::super::{Answer, Refusal, Request};
use crate::broker::registration::Registration;
use crate::broker::registry::RegisteredBroker;
use crate::codec::remoting::body::BrokerData;
use crate::codec::remoting::codes::response;

/// REGISTER_BROKER.
pub(super) fn register(request: &Request<'_>) -> Answer {
    let name = request.text("brokerName")?;
    if request.frame.ext.parse("compressed") == Some(true) {
        return Err(Refusal::new(
            response::INVALID_PARAMETER,
            "this name server reads plain registrations only",
        ));
    }
    if name == request.node.name {
        let remark = format!("the broker name {name} is taken here; give the joining broker another name");
        return Err(Refusal::new(response::INVALID_PARAMETER, remark));
    }
    let registration: Registration = serde_json::from_slice(&request.frame.body)
        .map_err(|e| Refusal::new(response::SYSTEM_ERROR, format!("the body is malformed: {e}")))?;
    let data = BrokerData {
        broker_addrs: [(request.number("brokerId")?, request.text("brokerAddr")?.to_owned())].into(),
        broker_name: name.to_owned(),
        cluster: request.text("clusterName")?.to_owned(),
        enable_acting_master: false,
    };
    let topics = registration.into_topics();
    request.node.state().registry.register(RegisteredBroker { session: request.from.session, data, topics });
    Ok(Some(request.success().with("haServerAddr", "").with("masterAddr", "")))
}

/// UNREGISTER_BROKER.
pub(super) fn unregister(request: &Request<'_>) -> Answer {
    request.node.state().registry.unregister(request.text("brokerName")?);
    Ok(Some(request.success()))
}
