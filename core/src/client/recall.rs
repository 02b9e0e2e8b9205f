//! Taking scheduled messages back, over remoting.

use super::refusal;
use super::sender::Sender;
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::{Frame, RecallHandle};
use crate::error::{Error, ErrorKind, Result};

const OPERATION: &str = "recall";

impl Sender {
    /// Takes the message with this handle back; its id.
    ///
    /// # Errors
    /// `InvalidArgument` for a handle that is none, or one of another topic; `Server` if the message does not wait any
    /// more or the broker has recall switched off; those of the route and of the call.
    pub(super) async fn recall(&self, topic: &str, handle: &str) -> Result<String> {
        self.instance.check_open(OPERATION)?;
        let invalid = |text: String| Error::new(ErrorKind::InvalidArgument, OPERATION, text);
        let Some(place) = RecallHandle::parse(handle) else {
            return Err(invalid(format!("{handle:?} is no recall handle; see SendReceipt::recall_handle")));
        };
        let wrapped = self.instance.namespace().wrap(topic);
        if place.topic != *wrapped {
            return Err(invalid(format!(
                "the recall handle is one of topic {:?}, not {topic:?}",
                place.topic
            )));
        }
        let request = Frame::request(request::RECALL_MESSAGE)
            .with("producerGroup", &self.group)
            .with("topic", &wrapped)
            .with("recallHandle", handle)
            .with("bname", &place.broker);
        let answer = self.call_broker(OPERATION, &wrapped, &place.broker, request).await?;
        let refused = |text: String| {
            let error = Error::new(ErrorKind::Server, OPERATION, text).with_response_code(answer.code);
            Err(error)
        };
        let remark = answer.remark.as_deref().unwrap_or_default();
        match answer.code {
            response::SUCCESS => {
                Ok(answer.ext.get("msgId").map_or_else(|| place.message_id.clone(), str::to_owned))
            }
            response::ILLEGAL_OPERATION => refused(format!(
                "message {} of topic {topic:?} is not taken back: {remark}; it was delivered or recalled before",
                place.message_id
            )),
            response::NO_PERMISSION if remark.contains("recall") => refused(format!(
                "broker {:?} takes nothing back: {remark}; it needs recallMessageEnable=true",
                place.broker
            )),
            _ => Err(refusal(OPERATION, &answer, topic)),
        }
    }
}
