//! What can be asked of a proxy: request, answer, path.

use prost::Message;

use crate::codec::grpc::proto::{self, Resource, Status};

/// A request of the service.
pub(crate) trait Rpc: Message + Clone + 'static {
    /// What answers it.
    type Answer: Answer;

    /// The method of the service.
    const PATH: &'static str;

    /// The topic or group it is about, for texts.
    fn resource(&self) -> &str;
}

/// An answer with a status of its own.
pub(crate) trait Answer: Message + Default + 'static {
    /// The status, if the server gave one.
    fn status(&self) -> Option<&Status>;
}

macro_rules! rpcs {
    ($($rpc:literal: $request:ident($($resource:ident)?) => $answer:ident;)*) => {
        $(
            impl Rpc for proto::$request {
                type Answer = proto::$answer;

                const PATH: &'static str = concat!("/apache.rocketmq.v2.MessagingService/", $rpc);

                fn resource(&self) -> &str {
                    rpcs!(@resource self $($resource)?)
                }
            }

            impl Answer for proto::$answer {
                fn status(&self) -> Option<&Status> {
                    self.status.as_ref()
                }
            }
        )*
    };
    (@resource $request:ident messages) => {
        $request.messages.first().map_or("", |message| name(&message.topic))
    };
    (@resource $request:ident $resource:ident) => { name(&$request.$resource) };
    (@resource $request:ident) => { "" };
}

rpcs! {
    "QueryRoute": QueryRouteRequest(topic) => QueryRouteResponse;
    "Heartbeat": HeartbeatRequest(group) => HeartbeatResponse;
    "SendMessage": SendMessageRequest(messages) => SendMessageResponse;
    "QueryAssignment": QueryAssignmentRequest(group) => QueryAssignmentResponse;
    "AckMessage": AckMessageRequest(group) => AckMessageResponse;
    "ForwardMessageToDeadLetterQueue":
        ForwardMessageToDeadLetterQueueRequest(group) => ForwardMessageToDeadLetterQueueResponse;
    "EndTransaction": EndTransactionRequest(topic) => EndTransactionResponse;
    "NotifyClientTermination": NotifyClientTerminationRequest(group) => NotifyClientTerminationResponse;
    "ChangeInvisibleDuration": ChangeInvisibleDurationRequest(group) => ChangeInvisibleDurationResponse;
    "RecallMessage": RecallMessageRequest(topic) => RecallMessageResponse;
}

/// The path of the two rpcs that stream.
pub(super) const TELEMETRY: &str = "/apache.rocketmq.v2.MessagingService/Telemetry";
pub(super) const RECEIVE: &str = "/apache.rocketmq.v2.MessagingService/ReceiveMessage";

fn name(resource: &Option<Resource>) -> &str {
    resource.as_ref().map_or("", |resource| &resource.name)
}
