//! Topics and groups, as this protocol names them.

use super::call::Call;
use super::status::refusal;
use crate::broker::handlers::Refusal;
use crate::broker::topics;
use crate::codec::grpc::proto::{Code, Resource};

const MAX_GROUP_BYTES: usize = 120;
const SYSTEM_GROUPS: &str = "CID_RMQ_SYS_";

impl Call<'_> {
    /// The topic that `resource` names.
    ///
    /// # Errors
    /// `ILLEGAL_TOPIC`: no topic name, or one of the broker's own.
    pub(super) fn topic(&self, resource: Option<&Resource>) -> Result<String, Refusal> {
        let name = self.full_name(resource);
        match topics::public_fault(&name) {
            None => Ok(name),
            Some(fault) => Err(refusal(Code::IllegalTopic, fault)),
        }
    }

    /// The consumer group that `resource` names.
    ///
    /// # Errors
    /// `ILLEGAL_CONSUMER_GROUP`.
    pub(super) fn group(&self, resource: Option<&Resource>) -> Result<String, Refusal> {
        let name = self.full_name(resource);
        match group_fault(&name) {
            None => Ok(name),
            Some(fault) => Err(refusal(Code::IllegalConsumerGroup, fault)),
        }
    }

    /// With its namespace in front, as remoting clients write it; the Apache server does not look at that field.
    fn full_name(&self, resource: Option<&Resource>) -> String {
        let Some(Resource { resource_namespace: namespace, name }) = resource else { return String::new() };
        if self.node.persona.ignores_namespaces() {
            return name.clone();
        }
        topics::in_namespace(namespace, name)
    }
}

/// Why `name` is no group name.
pub(crate) fn group_fault(name: &str) -> Option<String> {
    if name.len() > MAX_GROUP_BYTES {
        return Some(format!("a group name has 1 to {MAX_GROUP_BYTES} bytes, not {}", name.len()));
    }
    if name.starts_with(SYSTEM_GROUPS) {
        return Some(format!("group {name} is the broker's own"));
    }
    topics::name_fault(name).map(|fault| fault.replace("topic name", "group name"))
}

/// How answers name a topic or group.
pub(super) fn resource(full_name: &str) -> Resource {
    let (namespace, name) = match full_name.split_once('%') {
        Some((namespace, name)) if !namespace.is_empty() => (namespace, name),
        _ => ("", full_name),
    };
    Resource { resource_namespace: namespace.into(), name: name.into() }
}
