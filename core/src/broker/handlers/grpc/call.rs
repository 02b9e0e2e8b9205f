//! What every call meets before its handler: counted, met by an injected fault, its caller known and trusted.

use std::convert::Infallible;
use std::sync::Arc;

use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::super::Refusal;
use super::super::meet::{self, Ending, meet};
use super::status;
use crate::broker::acl;
use crate::broker::http::Link;
use crate::broker::node::Node;
use crate::codec::grpc::metadata;
use crate::codec::grpc::proto::{self, Code};

/// A call on its way through its handler.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Arc<Node>,
    /// Who calls.
    pub(crate) client_id: &'a str,
    pub(crate) link: &'a Link,
    metadata: &'a MetadataMap,
}

impl<'a> Call<'a> {
    /// The text of this metadata.
    pub(super) fn metadata(&self, name: &'static str) -> Option<&'a str> {
        text(self.metadata, name)
    }
}

fn text<'a>(metadata: &'a MetadataMap, name: &'static str) -> Option<&'a str> {
    metadata.get(name).and_then(|value| value.to_str().ok())
}

/// An answer with a status of its own.
pub(super) trait Answer: Default {
    fn set_status(&mut self, status: proto::Status);

    /// The answer that says only this.
    fn refused(status: proto::Status) -> Self {
        let mut answer = Self::default();
        answer.set_status(status);
        answer
    }
}

macro_rules! answers {
    ($($name:ident)*) => {
        $(impl Answer for proto::$name {
            fn set_status(&mut self, status: proto::Status) {
                self.status = Some(status);
            }
        })*
    };
}

answers! {
    QueryRouteResponse HeartbeatResponse SendMessageResponse QueryAssignmentResponse AckMessageResponse
    ForwardMessageToDeadLetterQueueResponse EndTransactionResponse NotifyClientTerminationResponse
    ChangeInvisibleDurationResponse RecallMessageResponse TelemetryCommand
}

/// The broker's side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(super) node: Arc<Node>,
    pub(super) link: Arc<Link>,
}

impl Service {
    /// Counts a call under this remoting request code, and lets it meet its fault; see [`meet`].
    pub(super) async fn receive(&self, code: i32) -> Result<Ending, Refusal> {
        match meet(&self.node, &self.link, code).await? {
            // No middle box answers for a server of this protocol: it ends the connection.
            Ending::Gateway => match self.cut().await {},
            ending => Ok(ending),
        }
    }

    /// Ends the connection; nothing comes after it.
    pub(super) async fn cut(&self) -> Infallible {
        meet::cut(&self.link).await
    }

    /// The call with this metadata, if its caller says who it is and may call.
    pub(super) fn call<'a>(&'a self, metadata: &'a MetadataMap) -> Result<Call<'a>, Refusal> {
        let client_id = text(metadata, metadata::CLIENT_ID).filter(|id| !id.trim().is_empty());
        let Some(client_id) = client_id else {
            let remark = format!("no client id: metadata {} is missing or empty", metadata::CLIENT_ID);
            return Err(Refusal::new(Code::ClientIdRequired as i32, remark));
        };
        let signed = acl::Signed {
            authorization: text(metadata, metadata::AUTHORIZATION),
            date_time: text(metadata, metadata::DATE_TIME),
            token: text(metadata, metadata::SESSION_TOKEN),
        };
        acl::check_call(&self.node.credentials, &signed)?;
        Ok(Call { node: &self.node, client_id, link: &self.link, metadata })
    }

    /// One request, one answer.
    pub(super) async fn unary<Q, A: Answer>(
        &self,
        code: i32,
        request: Request<Q>,
        handle: fn(&Call<'_>, Q) -> Result<A, Refusal>,
    ) -> Result<Response<A>, Status> {
        let (metadata, _, request) = request.into_parts();
        let ending = self.receive(code).await;
        let answer = match &ending {
            Ok(_) => self.call(&metadata).and_then(|call| handle(&call, request)),
            Err(refusal) => Err(refusal.clone()),
        };
        if ending == Ok(Ending::Cut) {
            match self.cut().await {}
        }
        Ok(Response::new(answer.unwrap_or_else(|refusal| {
            let (peer, remark) = (self.link.peer, &refusal.remark);
            tracing::debug!(%peer, request = code, code = refusal.code, remark, "refused");
            A::refused(status::of(&refusal))
        })))
    }
}
