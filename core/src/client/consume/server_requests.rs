//! Requests that a server sends to a consumer (40, 220, 221, 307, 309).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::consumer::Consumer;
use crate::client::GroupMember;
use crate::client::delivery::{Pending, Ticket};
use crate::clock;
use crate::codec::remoting::body::{
    ConsumeDirectlyResult, ConsumeFromWhere, ConsumeType, ConsumerData, ConsumerRunningInfo, ConsumerStatus,
    JsonBody, MessageModel as WireModel, QueueKey, ResetOffset,
};
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::frame::VERSION;
use crate::codec::remoting::{Frame, decode_messages};
use crate::message::MessageQueue;
use crate::options::{ConsumeFrom, ConsumeResult, MessageModel};
use crate::transport::remoting::ServerRequest;

impl GroupMember for Consumer {
    fn heartbeat_data(&self) -> ConsumerData {
        ConsumerData {
            group_name: self.requests.group.clone(),
            consume_type: ConsumeType::Passively,
            message_model: match self.options.model {
                MessageModel::Clustering => WireModel::Clustering,
                MessageModel::Broadcasting => WireModel::Broadcasting,
            },
            consume_from_where: match self.options.consume_from {
                ConsumeFrom::LastOffset => ConsumeFromWhere::LastOffset,
                ConsumeFrom::FirstOffset => ConsumeFromWhere::FirstOffset,
                ConsumeFrom::Timestamp(_) => ConsumeFromWhere::Timestamp,
            },
            subscription_data_set: self.subscriptions.all(),
            unit_mode: false,
        }
    }

    fn handle(&self, request: ServerRequest) {
        match request.frame.code {
            request::NOTIFY_CONSUMER_IDS_CHANGED => self.rebalance_due.notify_one(),
            request::GET_CONSUMER_STATUS_FROM_CLIENT => answer(&request, self.status().encode()),
            request::GET_CONSUMER_RUNNING_INFO => answer(&request, self.running_info().encode()),
            request::RESET_CONSUMER_CLIENT_OFFSET => {
                if let Some(me) = self.me.upgrade() {
                    tokio::spawn(async move { me.reset(&request.frame).await });
                }
            }
            request::CONSUME_MESSAGE_DIRECTLY => {
                if let Some(me) = self.me.upgrade() {
                    tokio::spawn(async move { me.consume_directly(request).await });
                }
            }
            code => {
                let remark = format!("a consumer takes no request {code}");
                let code = response::REQUEST_CODE_NOT_SUPPORTED;
                request.answer(Frame::response(&request.frame, code).with_remark(remark));
            }
        }
    }
}

fn answer(request: &ServerRequest, body: Vec<u8>) {
    request.answer(Frame::response(&request.frame, response::SUCCESS).with_body(body));
}

impl Consumer {
    /// Goes to the offsets that an administrator has set for this group (220).
    async fn reset(self: Arc<Self>, request: &Frame) {
        let reset = match ResetOffset::decode(&request.body) {
            Ok(reset) => reset,
            Err(error) => return tracing::warn!(%error, "a request to reset offsets could not be read"),
        };
        let _sharing_out = self.sharing_out.lock().await;
        for (queue, offset) in reset.offsets {
            let Some(queue) = self.queue(&MessageQueue::from(queue)) else { continue };
            let name = queue.queue();
            tracing::info!(topic = name.topic, queue = name.id, offset, "the offset is reset by request");
            if let Err(error) = self.reset_offset(&queue, offset).await {
                tracing::warn!(%error, topic = name.topic, queue = name.id, "the offset could not be reset");
            }
        }
    }

    /// Lets a handler consume one message outside of its queue and tells the server the result (309).
    async fn consume_directly(self: Arc<Self>, request: ServerRequest) {
        let broker = request.frame.ext.get("brokerName").unwrap_or_default();
        let message = decode_messages(request.frame.body.clone(), broker).into_iter().next();
        let mut message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return refuse(&request, &error.to_string()),
            None => return refuse(&request, "the request carries no message"),
        };
        self.localise(&mut message);
        let begun = clock::instant();
        let (result, settled) = oneshot::channel();
        let ticket = Ticket::Direct { queue: None, offset: 0, result };
        let _ = self.pending.send(Pending { message, ticket }).await;
        let Ok(result) = settled.await else { return refuse(&request, "the consumer is shutting down") };
        let result = ConsumeDirectlyResult {
            order: self.options.orderly,
            auto_commit: true,
            consume_result: if result == ConsumeResult::Success { "CR_SUCCESS" } else { "CR_LATER" }.into(),
            remark: None,
            spent_time_mills: u64::try_from(clock::instant().duration_since(begun).as_millis())
                .unwrap_or(u64::MAX),
        };
        answer(&request, result.encode());
    }

    fn status(&self) -> ConsumerStatus {
        let queues = self.queues();
        let offsets =
            queues.iter().map(|queue| (QueueKey::from(queue.queue()).to_key(), queue.commit_offset()));
        ConsumerStatus { message_queue_table: offsets.collect(), consumer_table: BTreeMap::new() }
    }

    fn running_info(&self) -> ConsumerRunningInfo {
        let queues = self.queues();
        let properties = [
            ("PROP_NAMESERVER_ADDR", self.options.client.endpoint.addresses.join(";")),
            ("PROP_THREADPOOL_CORE_SIZE", self.options.concurrency.to_string()),
            ("PROP_CONSUMEORDERLY", self.options.orderly.to_string()),
            ("PROP_CONSUME_TYPE", "CONSUME_PASSIVELY".to_owned()),
            ("PROP_CLIENT_VERSION", VERSION.to_string()),
            ("PROP_CONSUMER_START_TIMESTAMP", self.started_ms.to_string()),
        ];
        ConsumerRunningInfo {
            mq_table: queues.iter().map(|q| (QueueKey::from(q.queue()).to_key(), q.info())).collect(),
            properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            subscription_set: self.subscriptions.all(),
            ..ConsumerRunningInfo::default()
        }
    }
}

fn refuse(request: &ServerRequest, why: &str) {
    request.answer(Frame::response(&request.frame, response::SYSTEM_ERROR).with_remark(why));
}
